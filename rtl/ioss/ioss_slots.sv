// Two vector slots of a row and the skip unit that reads them (docs/ioss/README.md, Which slice pairs are issued; Row pipeline).
//
// While a vector is loaded, each element gets one bit that says whether any of its slice pairs will be issued. The skip unit takes the
// lowest such element that is left and the lowest pair of it that is left: one pair every cycle, however long the run of zeros
// before it, also across the change from one slot to the other. Element and pair are combinational outputs of the slot registers.
module ioss_slots #(
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int SwW = 2  // bits of a superword number
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic restart_i,   // both slots are free; start again with slot 0

  // Load
  input  logic ld_start_i,
  input  logic ld_beat_i,
  input  logic ld_commit_i,
  input  logic [SwW-1:0] ld_sw_i,
  input  logic [trainslice_pkg::Groups-1:0]     ld_we_i,
  input  logic [trainslice_pkg::BeatValues-1:0] ld_live_i,
  input  logic [trainslice_pkg::BeatValues-1:0] ld_sign_i,
  input  logic [trainslice_pkg::BeatValues*trainslice_pkg::MagW-1:0] ld_mag_i,
  input  logic [trainslice_pkg::BeatW-1:0]      ld_nz_i,
  input  logic [trainslice_pkg::BeatW-1:0]      ld_map_i,   // stationary slices that are not zero in a live lane
  input  logic [trainslice_pkg::TagW-1:0]       ld_tag_i,
  input  logic [Lanes-1:0]                      ld_mask_i,
  input  logic                                  ld_bank_i,  // tile bank
  input  logic [trainslice_pkg::OrderW-1:0]     ld_min_order_i,
  input  logic                                  ld_compensate_i,
  output logic                                  ld_any_o,   // this beat gives the row work
  output logic                                  free_o,
  output logic                                  empty_o,

  // Issue
  output logic                       full_o,     // a job is there to be issued
  input  logic                       take_i,
  output logic                       null_o,
  output logic                       last_o,
  output logic [$clog2(Depth)-1:0]   k_o,
  output logic [1:0]                 i_o,
  output logic [1:0]                 j_o,
  output logic                       x_sign_o,
  output logic [trainslice_pkg::SliceW-1:0] x_slice_o,
  output logic                       at_min_o,   // compensate: i + j = min_order and j > 0
  output logic                       ran_bank_o,
  output logic                       tile_bank_o,
  output logic [trainslice_pkg::TagW-1:0] tag_o,
  output logic [Lanes-1:0]           mask_o
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int Groups = trainslice_pkg::Groups;
  localparam int GroupValues = trainslice_pkg::GroupValues;
  localparam int MagW = trainslice_pkg::MagW;
  localparam int Slices = trainslice_pkg::MaxSlices;
  localparam int BeatW = trainslice_pkg::BeatW;
  localparam int ElemW = MagW + 1;
  localparam int KW = $clog2(Depth);
  localparam int Pairs = Slices * Slices;

  // Bits of a vector of Depth bits whose index has bit b set: turns a one-hot vector into an index.
  function automatic logic [Depth-1:0] index_mask(input int b);
    for (int d = 0; d < Depth; d++) index_mask[d] = ((d >> b) % 2) == 1;
  endfunction

  logic       wr_q, rd_q;         // slot that loads next, slot that issues
  logic [1:0] full_q;
  logic [Depth-1:0] work_q [2];   // elements that still have pairs to issue
  logic [Pairs-1:0] done_q;       // pairs of the lowest such element that were issued

  logic [trainslice_pkg::TagW-1:0]   tag_q [2];
  logic [Lanes-1:0]                  mask_q [2];
  logic [1:0]                        bank_q, compensate_q;
  logic [trainslice_pkg::OrderW-1:0] min_order_q [2];

  assign free_o  = full_q != 2'b11;
  assign empty_o = full_q == 2'b00;

  // ---- load ----------------------------------------------------------------------------------------------------------------------
  logic [Values-1:0] ld_work;
  logic [Depth-1:0]  ld_work_wide;

  always_comb begin
    ld_work = '0;
    if (ld_beat_i) begin
      for (int i = 0; i < Slices; i++) begin
        for (int j = 0; j < Slices; j++) begin
          if (i + j >= 32'(ld_min_order_i)) begin
            ld_work = ld_work | (ld_nz_i[Values * i +: Values] & ld_map_i[Values * j +: Values]);
          end
        end
      end
      ld_work = ld_work & ld_live_i;
    end
  end
  assign ld_any_o     = ld_work != '0;
  assign ld_work_wide = Depth'(ld_work) << {ld_sw_i, 5'd0};

  logic [Values*ElemW-1:0] ld_word, rd_word;
  logic [BeatW-1:0]        rd_nz;
  for (genvar p = 0; p < Values; p++) begin : gen_wr
    assign ld_word[ElemW * p +: ElemW] = {ld_sign_i[p], ld_mag_i[MagW * p +: MagW]};
  end

  logic [KW-1:0] k;
  for (genvar g = 0; g < Groups; g++) begin : gen_mem
    localparam int GW = GroupValues * ElemW;
    logic [GW-1:0]                 mem_q [2 << SwW];
    logic [Slices*GroupValues-1:0] nz_q [2 << SwW];
    logic [Slices*GroupValues-1:0] nz_wr, nz_rd;
    for (genvar i = 0; i < Slices; i++) begin : gen_plane
      assign nz_wr[GroupValues * i +: GroupValues] = ld_nz_i[Values * i + GroupValues * g +: GroupValues];
      assign rd_nz[Values * i + GroupValues * g +: GroupValues] = nz_rd[GroupValues * i +: GroupValues];
    end
    always_ff @(posedge clk_i) begin
      if (ld_beat_i && ld_we_i[g]) begin
        mem_q[{wr_q, ld_sw_i}] <= ld_word[GW * g +: GW];
        nz_q[{wr_q, ld_sw_i}]  <= nz_wr;
      end
    end
    assign rd_word[GW * g +: GW] = mem_q[{rd_q, SwW'(k >> 5)}];
    assign nz_rd                 = nz_q[{rd_q, SwW'(k >> 5)}];
  end

  // Every beat of a superword finds the same map, so a whole word is written each time.
  logic [BeatW-1:0] map_q [2 << SwW];
  logic [BeatW-1:0] rd_map;
  always_ff @(posedge clk_i) begin
    if (ld_beat_i) map_q[{wr_q, ld_sw_i}] <= ld_map_i;
  end
  assign rd_map = map_q[{rd_q, SwW'(k >> 5)}];

  // ---- skip unit -----------------------------------------------------------------------------------------------------------------
  logic [Depth-1:0] work, lowest, left;
  logic [Slices-1:0] x_nz, w_nz;
  logic [Pairs-1:0] todo, pick, rest;
  logic [3:0]       pair;
  logic [ElemW-1:0] elem;
  logic [2:0]       order;

  assign work   = work_q[rd_q];
  assign lowest = work & (~work + 1'b1);
  assign left   = work & ~lowest;
  for (genvar b = 0; b < KW; b++) begin : gen_k
    localparam logic [Depth-1:0] IndexMask = index_mask(b);
    assign k[b] = |(lowest & IndexMask);
  end

  for (genvar i = 0; i < Slices; i++) begin : gen_nz
    assign x_nz[i] = rd_nz[Values * i + 32'(k[4:0])];
    assign w_nz[i] = rd_map[Values * i + 32'(k[4:0])];
  end
  for (genvar i = 0; i < Slices; i++) begin : gen_pair_i
    for (genvar j = 0; j < Slices; j++) begin : gen_pair_j
      assign todo[Slices * i + j] = x_nz[i] && w_nz[j] && 3'(i + j) >= min_order_q[rd_q] && !done_q[Slices * i + j];
    end
  end
  assign pick = todo & (~todo + 1'b1);
  assign rest = todo & ~pick;
  assign pair[3] = |(pick & 16'hff00);
  assign pair[2] = |(pick & 16'hf0f0);
  assign pair[1] = |(pick & 16'hcccc);
  assign pair[0] = |(pick & 16'haaaa);

  assign elem  = rd_word[ElemW * 32'(k[4:0]) +: ElemW];
  assign order = 3'(i_o) + 3'(j_o);

  assign full_o      = full_q[rd_q];
  assign null_o      = work == '0;
  assign last_o      = null_o || (rest == '0 && left == '0);
  assign k_o         = k;
  assign i_o         = null_o ? 2'd0 : pair[3:2];
  assign j_o         = null_o ? 2'd0 : pair[1:0];
  assign x_sign_o    = !null_o && elem[MagW];
  assign x_slice_o   = null_o ? '0 : elem[4 * 32'(i_o) +: 4];
  assign at_min_o    = !null_o && compensate_q[rd_q] && order == min_order_q[rd_q] && j_o != 2'd0;
  assign ran_bank_o  = rd_q;
  assign tile_bank_o = bank_q[rd_q];
  assign tag_o       = tag_q[rd_q];
  assign mask_o      = mask_q[rd_q];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_q         <= 1'b0;
      rd_q         <= 1'b0;
      full_q       <= '0;
      done_q       <= '0;
      bank_q       <= '0;
      compensate_q <= '0;
      for (int s = 0; s < 2; s++) begin
        work_q[s]      <= '0;
        tag_q[s]       <= '0;
        mask_q[s]      <= '0;
        min_order_q[s] <= '0;
      end
    end else begin
      if (restart_i) begin
        wr_q <= 1'b0;
        rd_q <= 1'b0;
      end
      if (ld_start_i) begin
        work_q[wr_q]       <= ld_work_wide;
        tag_q[wr_q]        <= ld_tag_i;
        mask_q[wr_q]       <= ld_mask_i;
        bank_q[wr_q]       <= ld_bank_i;
        min_order_q[wr_q]  <= ld_min_order_i;
        compensate_q[wr_q] <= ld_compensate_i;
      end else if (ld_beat_i) begin
        work_q[wr_q] <= work_q[wr_q] | ld_work_wide;
      end
      if (ld_commit_i) begin
        full_q[wr_q] <= 1'b1;
        wr_q         <= !wr_q;
      end
      if (take_i) begin
        if (rest != '0) begin
          done_q <= done_q | pick;
        end else begin
          done_q       <= '0;
          work_q[rd_q] <= left;
        end
        if (last_o) begin
          full_q[rd_q] <= 1'b0;
          rd_q         <= !rd_q;
        end
      end
    end
  end
endmodule
