// Two vector slots of a row and the skip unit that reads them (docs/ioss/README.md, Which slice pairs are issued; docs/ioss/reference.md, Row pipeline).
//
// While a vector is loaded, each element gets one bit that says whether any of its slice pairs will be issued. The skip unit takes the
// lowest such element that is left and the lowest pair of it that is left: one pair every cycle, however long the run of zeros
// before it, also across the change from one slot to the other.
//
// Values and maps are in memories that are read with the clock, as SRAMs are. The address is that of the element that will be the lowest
// in the next cycle, so that it is there in time; a beat that is loaded into that very word goes around the memory.
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
  input  logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] ld_elem_i,
  input  logic [trainslice_pkg::BeatValues-1:0] ld_work_i,  // elements of this beat that will be issued
  input  logic [trainslice_pkg::BeatW-1:0]      ld_map_i,   // stationary slices that are not zero in a live lane
  input  logic [trainslice_pkg::TagW-1:0]       ld_tag_i,
  input  logic [Lanes-1:0]                      ld_mask_i,
  input  logic                                  ld_bank_i,  // tile bank
  input  logic [trainslice_pkg::OrderW-1:0]     ld_min_order_i,
  input  logic                                  ld_compensate_i,
  input  logic [trainslice_pkg::Groups-1:0]     fwd_we_i,   // the beat that was loaded last, into any slot of any row
  input  logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] fwd_elem_i,
  input  logic [trainslice_pkg::BeatW-1:0]      fwd_map_i,
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
  localparam int SliceW = trainslice_pkg::SliceW;
  localparam int MagW = trainslice_pkg::MagW;
  localparam int Slices = trainslice_pkg::MaxSlices;
  localparam int BeatW = trainslice_pkg::BeatW;
  localparam int ElemW = trainslice_pkg::ElemW;
  localparam int KW = $clog2(Depth);
  localparam int Pairs = Slices * Slices;

  // For every index bit b the vector of Depth bits whose index has bit b set: turns a one-hot vector into an index.
  function automatic logic [KW*Depth-1:0] index_masks();
    logic [KW*Depth-1:0] masks;
    for (int b = 0; b < KW; b++) begin
      for (int d = 0; d < Depth; d++) masks[Depth * b + d] = ((d >> b) % 2) == 1;
    end
    return masks;
  endfunction
  localparam logic [KW*Depth-1:0] IndexMask = index_masks();

  logic       wr_q, rd_q;         // slot that loads next, slot that issues
  logic [1:0] full_q;
  logic             rd_d;
  logic [Depth-1:0] work_q [2];   // elements that still have pairs to issue
  logic [Depth-1:0] work_d [2];
  logic [Pairs-1:0] done_q;       // pairs of the lowest such element that were issued

  logic [trainslice_pkg::TagW-1:0]   tag_q [2];
  logic [Lanes-1:0]                  mask_q [2];
  logic [1:0]                        bank_q, compensate_q;
  logic [trainslice_pkg::OrderW-1:0] min_order_q [2];

  assign free_o  = full_q != 2'b11;
  assign empty_o = full_q == 2'b00;

  // ---- load ----------------
  logic [Depth-1:0] ld_work_wide;
  // A group's other rows start with the first beat as well, without work.
  assign ld_work_wide = ld_beat_i ? Depth'(ld_work_i) << {ld_sw_i, 5'd0} : '0;

  localparam int GranuleW = GroupValues * ElemW;   // layout: slice_unpack
  localparam int PlaneW = GroupValues * SliceW;
  localparam int AddrW = SwW + 1;
  localparam int Superwords = Depth / Values;

  // ---- memories ----------------
  // The superword of the lowest element that is left.
  function automatic logic [SwW-1:0] first_superword(input logic [Depth-1:0] elements);
    logic [SwW-1:0] found;
    found = '0;
    for (int s = Superwords - 1; s >= 0; s--) if (elements[Values * s +: Values] != '0) found = SwW'(s);
    return found;
  endfunction

  logic [Groups*GranuleW-1:0] rd_values;
  logic [BeatW-1:0]           rd_map;
  logic [AddrW-1:0]           addr_d, addr_q;
  logic                       fwd_q;   // the beat that was loaded last belongs to the word that is read
  logic                       rd_en;
  assign addr_d = {rd_d, first_superword(work_d[rd_d])};
  assign rd_en  = fwd_q || addr_d != addr_q;

  for (genvar g = 0; g < Groups; g++) begin : gen_mem
    logic [GranuleW-1:0] mem_q [2 << SwW];
    logic [GranuleW-1:0] read_q;
    always_ff @(posedge clk_i) begin
      if (ld_beat_i && ld_we_i[g]) mem_q[{wr_q, ld_sw_i}] <= ld_elem_i[GranuleW * g +: GranuleW];
      if (rd_en) read_q <= mem_q[addr_d];
    end
    assign rd_values[GranuleW * g +: GranuleW] = (fwd_q && fwd_we_i[g]) ? fwd_elem_i[GranuleW * g +: GranuleW] : read_q;
  end

  // Every beat of a superword finds the same map, so a whole word is written each time.
  logic [BeatW-1:0] map_q [2 << SwW];
  logic [BeatW-1:0] map_read_q;
  always_ff @(posedge clk_i) begin
    if (ld_beat_i) map_q[{wr_q, ld_sw_i}] <= ld_map_i;
    if (rd_en) map_read_q <= map_q[addr_d];
  end
  assign rd_map = fwd_q ? fwd_map_i : map_read_q;

  // ---- skip unit ----------------
  function automatic logic [KW-1:0] first_element(input logic [Depth-1:0] elements);
    logic [Depth-1:0] lowest;
    logic [KW-1:0]    index;
    lowest = elements & (~elements + 1'b1);
    index  = '0;
    for (int b = 0; b < KW; b++) index[b] = |(lowest & IndexMask[Depth * b +: Depth]);
    return index;
  endfunction

  // {sign, slices} of the value at position `at` of a granule.
  function automatic logic [ElemW-1:0] element(input logic [GranuleW-1:0] values, input logic [2:0] at);
    return {values[PlaneW * 4 + 32'(at)],
            values[PlaneW * 3 + SliceW * 32'(at) +: SliceW], values[PlaneW * 2 + SliceW * 32'(at) +: SliceW],
            values[PlaneW * 1 + SliceW * 32'(at) +: SliceW], values[SliceW * 32'(at) +: SliceW]};
  endfunction

  // Pairs of the element at position `at` of the map that are issued: pair 4 * i + j.
  function automatic logic [Pairs-1:0] pairs_of(input logic [MagW-1:0] x, input logic [BeatW-1:0] map,
                                                input logic [4:0] at, input logic [2:0] min_order);
    logic [Slices-1:0] w;
    logic [6:0]        orders;   // bit n: order n is issued
    w      = {map[Values * 3 + 32'(at)], map[Values * 2 + 32'(at)], map[Values * 1 + 32'(at)], map[32'(at)]};
    orders = 7'h7f << min_order;
    return {(x[15:12] != 4'd0) ? w & orders[6:3] : 4'd0, (x[11:8] != 4'd0) ? w & orders[5:2] : 4'd0,
            (x[7:4] != 4'd0) ? w & orders[4:1] : 4'd0, (x[3:0] != 4'd0) ? w & orders[3:0] : 4'd0};
  endfunction

  logic [Depth-1:0] work, left;
  logic [KW-1:0]    k;
  logic [Pairs-1:0] todo, pick, rest;
  logic [3:0]       pair;
  logic [ElemW-1:0] elem;
  logic [2:0]       order;

  assign work = work_q[rd_q];
  assign left = work & (work - 1'b1);
  assign k    = first_element(work);
  assign elem = element(rd_values[GranuleW * 32'(k[4:3]) +: GranuleW], k[2:0]);

  // A null job has no element: its slot's memory may hold anything.
  assign todo = null_o ? '0 : pairs_of(elem[MagW-1:0], rd_map, k[4:0], min_order_q[rd_q]) & ~done_q;
  assign pick = todo & (~todo + 1'b1);
  assign rest = todo & ~pick;
  assign pair = {|pick[15:8], |{pick[15:12], pick[7:4]}, |{pick[15:14], pick[11:10], pick[7:6], pick[3:2]},
                 |{pick[15], pick[13], pick[11], pick[9], pick[7], pick[5], pick[3], pick[1]}};

  assign order = 3'(i_o) + 3'(j_o);

  assign full_o      = full_q[rd_q];
  assign null_o      = work == '0;
  assign last_o      = rest == '0 && left == '0;
  assign k_o         = k;
  assign i_o         = pair[3:2];
  assign j_o         = pair[1:0];
  assign x_sign_o    = !null_o && elem[MagW];
  assign x_slice_o   = null_o ? '0 : elem[SliceW * 32'(i_o) +: SliceW];
  assign at_min_o    = !null_o && compensate_q[rd_q] && order == min_order_q[rd_q] && j_o != 2'd0;
  assign ran_bank_o  = rd_q;
  assign tile_bank_o = bank_q[rd_q];
  assign tag_o       = tag_q[rd_q];
  assign mask_o      = mask_q[rd_q];

  // ---- next state ----------------
  assign rd_d = (take_i && last_o) ? !rd_q : rd_q && !restart_i;
  for (genvar s = 0; s < 2; s++) begin : gen_work
    assign work_d[s] = (take_i && rest == '0 && rd_q == 1'(s)) ? left :
        (wr_q != 1'(s)) ? work_q[s] : ld_start_i ? ld_work_wide : work_q[s] | ld_work_wide;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_q         <= 1'b0;
      rd_q         <= 1'b0;
      full_q       <= '0;
      done_q       <= '0;
      addr_q       <= '0;
      fwd_q        <= 1'b0;
      bank_q       <= '0;
      compensate_q <= '0;
      for (int s = 0; s < 2; s++) begin
        work_q[s]      <= '0;
        tag_q[s]       <= '0;
        mask_q[s]      <= '0;
        min_order_q[s] <= '0;
      end
    end else begin
      rd_q   <= rd_d;
      addr_q <= addr_d;
      fwd_q  <= ld_beat_i && {wr_q, ld_sw_i} == addr_d;
      for (int s = 0; s < 2; s++) work_q[s] <= work_d[s];
      if (restart_i) wr_q <= 1'b0;
      if (ld_start_i) begin
        tag_q[wr_q]        <= ld_tag_i;
        mask_q[wr_q]       <= ld_mask_i;
        bank_q[wr_q]       <= ld_bank_i;
        min_order_q[wr_q]  <= ld_min_order_i;
        compensate_q[wr_q] <= ld_compensate_i;
      end
      if (ld_commit_i) begin
        full_q[wr_q] <= 1'b1;
        wr_q         <= !wr_q;
      end
      if (take_i) begin
        done_q <= (rest != '0) ? done_q | pick : '0;
        if (last_o) full_q[rd_q] <= 1'b0;
      end
    end
  end
endmodule
