`include "ts_assert.svh"

// Vector stream of the IOSS core: takes jobs, chooses a group of rows for each, fills slots, and lets jobs without work bypass
// (docs/ioss/reference.md, Vector stream).
//
// Two states, idle and loading, plus swallowing of a refused job's rest. The group is chosen in the cycle in which the first beat is taken.
module ioss_dispatch
  import ioss_pkg::tile_t;
#(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int SwW = 2  // bits of a superword number of a vector
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        vec_valid_i,
  output logic        vec_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] vec_data_i,
  input  logic        vec_last_i,
  input  logic [trainslice_pkg::TagW-1:0]  vec_tag_i,
  input  logic [Lanes-1:0]                 vec_mask_i,
  output logic        job_err_valid_o,
  output logic [ioss_pkg::CodeW-1:0]       job_err_code_o,
  output logic [trainslice_pkg::TagW-1:0]  job_err_tag_o,

  output logic        byp_valid_o,
  input  logic        byp_ready_i,
  output logic [trainslice_pkg::TagW-1:0]  byp_tag_o,
  output logic [Lanes-1:0]                 byp_mask_o,

  input  logic        job_ready_i,
  input  logic        job_bad_i,
  /* verilator lint_off UNUSEDSIGNAL */  // what tiles need
  input  tile_t       job_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic        job_end_o,
  output logic        job_commit_o,
  output logic        job_good_o,     // with job_end_o: not refused

  input  logic [Rows-1:0] row_free_i,   // the row has a free slot
  input  logic [Rows-1:0] row_empty_i,  // both its slots are free
  input  logic        beat_any_i,           // the beat on the load bus gives its row work

  output logic [Rows-1:0] ld_start_o,   // rows of the job's group, with its first beat
  output logic [Rows-1:0] ld_beat_o,    // the row that takes this beat
  output logic [Rows-1:0] ld_commit_o,  // rows whose slot becomes full
  output logic [Rows-1:0] ld_group_o,   // rows of the job's group
  output logic [SwW-1:0] ld_sw_o,
  output logic [trainslice_pkg::Groups-1:0]     ld_we_o,
  output logic [trainslice_pkg::BeatValues-1:0] ld_live_o,  // positions that belong to the vector
  output logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] ld_elem_o,
  output logic [trainslice_pkg::BeatW-1:0]      ld_nz_o,
  output logic [2:0]     next_member_o,  // where the stream stands in the next cycle
  output logic [SwW-1:0] next_sw_o,
  output logic [trainslice_pkg::TagW-1:0]       ld_tag_o,
  output logic [Lanes-1:0]                      ld_mask_o
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int GroupValues = trainslice_pkg::GroupValues;
  localparam int CodeW = ioss_pkg::CodeW;

  typedef enum logic [1:0] {
    StIdle,
    StLoad,
    StSwallow
  } state_e;

  state_e      state_q;
  logic [Rows-1:0] group_q, group;
  logic [trainslice_pkg::TagW-1:0] tag_q;
  logic [Lanes-1:0] mask_q;
  logic        any_q, any;
  logic [CodeW-1:0] code_q, code;

  logic [2:0]  member;
  logic [15:0] beat, len;
  logic [2:0]  next_member;
  logic [15:0] next_beat;
  logic        last;          // the job's declared last beat
  logic        idle, take, byp_ok, swallowing;

  // ---- position in the job ----------------
  ioss_chunk_walker #(
    .ScaleLog2(0)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .first_i (idle),
    .step_i  (take),
    .k_len_i (job_i.desc.k_len),
    .chunk_i (job_i.chunk),
    .slices_i(job_i.desc.x_slices),
    .member_o(member),
    .beat_o  (beat),
    .len_o   (len),
    .last_o  (last),
    .next_member_o(next_member),
    .next_beat_o  (next_beat)
  );

  slice_unpack #(
    .SwW(SwW)
  ) u_unpack (
    .data_i    (vec_data_i),
    .slices_i  (job_i.desc.x_slices),
    .unsigned_i(job_i.desc.x_unsigned),
    .beat_i    (beat),
    .sw_o      (ld_sw_o),
    .we_o      (ld_we_o),
    .elem_o    (ld_elem_o),
    .nz_o      (ld_nz_o)
  );

  // Positions of superword `sw` that this beat writes and that lie within the chunk.
  function automatic logic [Values-1:0] live(input logic [trainslice_pkg::Groups-1:0] we, input logic [SwW-1:0] sw,
                                             input logic [15:0] length);
    logic [Values-1:0] found;
    for (int p = 0; p < Values; p++) found[p] = we[p / GroupValues] && (16'({sw, 5'(p)}) < length);
    return found;
  endfunction
  assign ld_live_o = live(ld_we_o, ld_sw_o, len);

  // ---- choice of the group ----------------
  // Bit r of *_level is meaningful where r is the first row of a group.
  logic [Rows-1:0] free_level, empty_level, base, choice;
  logic            available;

  // A wider group is available if both of its halves are.
  function automatic logic [Rows-1:0] level(input logic [Rows-1:0] rows, input logic [3:0] factor);
    logic [Rows-1:0] wide;
    wide = rows;
    if (factor > 4'd1) wide = wide & (wide >> 1);
    if (factor > 4'd2) wide = wide & (wide >> 2);
    if (factor > 4'd4) wide = wide & (wide >> 4);
    return wide;
  endfunction

  // All rows of the group that begins at a row.
  function automatic logic [Rows-1:0] whole(input logic [Rows-1:0] first, input logic [3:0] factor);
    logic [Rows-1:0] rows;
    rows = first;
    if (factor > 4'd1) rows = rows | (rows << 1);
    if (factor > 4'd2) rows = rows | (rows << 2);
    if (factor > 4'd4) rows = rows | (rows << 4);
    return rows;
  endfunction

  for (genvar r = 0; r < Rows; r++) begin : gen_base
    assign base[r] = (4'(r) & (job_i.desc.reduce_factor - 4'd1)) == 4'd0;
  end
  assign free_level  = level(row_free_i, job_i.desc.reduce_factor) & base;
  assign empty_level = level(row_empty_i, job_i.desc.reduce_factor) & base;

  assign available = |free_level;
  // The lowest set bit: emptiest groups first, then lowest index.
  assign choice = (empty_level != '0) ? (empty_level & (~empty_level + 1'b1)) : (free_level & (~free_level + 1'b1));

  assign group = idle ? whole(choice, job_i.desc.reduce_factor) : group_q;

  // ---- handshake ----------------
  assign idle   = state_q == StIdle;
  assign byp_ok = !byp_valid_o || byp_ready_i;

  always_comb begin
    case (state_q)
      StIdle:  vec_ready_o = job_ready_i && (job_bad_i || (available && (!last || byp_ok)));
      StLoad:  vec_ready_o = !last || byp_ok;
      default: vec_ready_o = 1'b1;
    endcase
  end

  assign take       = vec_valid_i && vec_ready_o;
  assign swallowing = (state_q == StSwallow) || (idle && job_bad_i);

  always_comb begin
    code = code_q;
    if (idle && job_bad_i) begin
      code = ioss_pkg::JobTile;
    end else if (state_q != StSwallow) begin
      code = last ? ioss_pkg::JobLateLast : ioss_pkg::JobEarlyLast;
    end
  end

  assign any          = beat_any_i || (!idle && any_q);
  assign job_end_o    = take && vec_last_i;
  assign job_good_o   = job_end_o && !swallowing && last;
  assign job_commit_o = job_good_o && any;

  assign ld_group_o  = group;
  assign ld_start_o  = (take && idle && !job_bad_i) ? group : '0;
  assign ld_commit_o = job_commit_o ? group : '0;
  assign ld_tag_o    = idle ? vec_tag_i : tag_q;
  assign ld_mask_o   = idle ? vec_mask_i : mask_q;
  for (genvar r = 0; r < Rows; r++) begin : gen_beat
    assign ld_beat_o[r] = take && !swallowing && group[r] &&
                          ((4'(r) & (job_i.desc.reduce_factor - 4'd1)) == 4'(member));
  end

  // ---- the next cycle's position ----------------
  logic [SwW-1:0] step_sw;
  assign step_sw = (job_i.desc.x_slices == 3'd1) ? SwW'(next_beat) :
      (job_i.desc.x_slices == 3'd2) ? SwW'(next_beat >> 1) : SwW'(next_beat >> 2);
  always_comb begin
    next_member_o = member;
    next_sw_o     = ld_sw_o;
    if (take) begin
      next_member_o = vec_last_i ? 3'd0 : next_member;
      next_sw_o     = vec_last_i ? '0 : step_sw;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q         <= StIdle;
      group_q         <= '0;
      tag_q           <= '0;
      mask_q          <= '0;
      any_q           <= 1'b0;
      code_q          <= '0;
      byp_valid_o     <= 1'b0;
      byp_tag_o       <= '0;
      byp_mask_o      <= '0;
      job_err_valid_o <= 1'b0;
      job_err_code_o  <= '0;
      job_err_tag_o   <= '0;
    end else begin
      if (byp_ready_i) byp_valid_o <= 1'b0;
      job_err_valid_o <= job_end_o && !job_good_o;
      if (take) begin
        group_q <= group;
        tag_q   <= ld_tag_o;
        mask_q  <= ld_mask_o;
        any_q   <= any;
        code_q  <= code;
        if (vec_last_i) begin
          state_q <= StIdle;
        end else begin
          state_q <= (swallowing || last) ? StSwallow : StLoad;
        end
        if (job_good_o && !any) begin
          byp_valid_o <= 1'b1;
          byp_tag_o   <= ld_tag_o;
          byp_mask_o  <= ld_mask_o;
        end
        if (job_end_o && !job_good_o) begin
          job_err_code_o <= code;
          job_err_tag_o  <= ld_tag_o;
        end
      end
    end
  end

  `TS_ASSERT(OneRowABeat, (ld_beat_o & (ld_beat_o - 1'b1)) == '0)
  `TS_ASSERT(LoadOnlyFreeSlots, (ld_start_o & ~row_free_i) == '0)
endmodule
