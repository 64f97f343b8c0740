`include "ts_assert.svh"

// One row of the IOSS core: its tile copy, its two vector slots with the skip unit, and Lanes multipliers with two pipeline registers
// (docs/ioss/reference.md, Row pipeline).
//
// Issue at T, operand register at T + 1, product at T + 2. Each register moves on when the one after it is empty or moves on.
module ioss_row #(
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int TileSwW = 6,  // bits of a superword number of the tile
  parameter int VecSwW = 2    // of a vector
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic restart_i,

  input  logic wr_en_i,
  input  logic wr_bank_i,
  input  logic [TileSwW-1:0] wr_sw_i,
  input  logic [trainslice_pkg::Groups-1:0]     wr_we_i,
  input  logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] wr_elem_i,

  input  logic ld_start_i,
  input  logic ld_beat_i,
  input  logic ld_commit_i,
  input  logic [VecSwW-1:0] ld_sw_i,
  input  logic [trainslice_pkg::Groups-1:0]     ld_we_i,
  input  logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] ld_elem_i,
  input  logic [trainslice_pkg::BeatValues-1:0] ld_work_i,
  input  logic [trainslice_pkg::BeatW-1:0]      ld_map_i,
  input  logic [trainslice_pkg::TagW-1:0]       ld_tag_i,
  input  logic [Lanes-1:0]                      ld_mask_i,
  input  logic                                  ld_bank_i,
  input  logic [trainslice_pkg::OrderW-1:0]     ld_min_order_i,
  input  logic                                  ld_compensate_i,
  input  logic [trainslice_pkg::Groups-1:0]     fwd_we_i,    // the last beat loaded, of any row
  input  logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] fwd_elem_i,
  input  logic [trainslice_pkg::BeatW-1:0]      fwd_map_i,
  output logic free_o,
  output logic empty_o,
  output logic idle_o,       // no slot and no pipeline register is occupied
  output logic end_o,        // a job's last product is issued
  output logic end_bank_o,   // its tile bank
  output logic stall_operand_o,
  output logic stall_ran_o,

  output logic prod_valid_o,
  input  logic prod_ready_i,
  output logic [Lanes*trainslice_pkg::ProdW-1:0] prod_data_o,
  output logic [trainslice_pkg::OrderW-1:0]      prod_order_o,
  output logic prod_last_o,
  output logic prod_null_o,
  output logic prod_bank_o,
  output logic [trainslice_pkg::TagW-1:0] prod_tag_o,
  output logic [Lanes-1:0]                prod_mask_o,

  output logic issue_valid_o,
  output logic issue_null_o,
  output logic [ioss_pkg::KIdxW-1:0] issue_k_o,
  output logic [1:0] issue_i_o,
  output logic [1:0] issue_j_o,
  output logic [4:0] issue_x_o,
  output logic [trainslice_pkg::TagW-1:0] issue_tag_o
);
  localparam int GroupValues = trainslice_pkg::GroupValues;
  localparam int ElemW = trainslice_pkg::ElemW;
  localparam int ProdW = trainslice_pkg::ProdW;
  localparam int SliceW = trainslice_pkg::SliceW;
  localparam int OrderW = trainslice_pkg::OrderW;
  localparam int TagW = trainslice_pkg::TagW;
  localparam int KW = $clog2(Depth);

  logic full, null_job, last, at_min, ran_bank, tile_bank, x_sign;
  logic [KW-1:0] k;
  logic [1:0] i, j;
  logic [SliceW-1:0] x_slice;
  logic [TagW-1:0] tag;
  logic [Lanes-1:0] mask;
  logic [Lanes*ElemW-1:0] w_elem;
  logic issue, op_ready, prod_ready;

  ioss_tile_mem #(
    .Lanes  (Lanes),
    .Depth  (Depth),
    .TileSwW(TileSwW)
  ) u_tile (
    .clk_i,
    .wr_en_i,
    .wr_bank_i,
    .wr_sw_i,
    .wr_we_i,
    .wr_elem_i,
    .rd_en_i   (issue),
    .rd_bank_i (tile_bank),
    .rd_k_i    (k),
    .rd_elem_o (w_elem)
  );

  ioss_slots #(
    .Lanes(Lanes),
    .Depth(Depth),
    .SwW  (VecSwW)
  ) u_slots (
    .clk_i,
    .rst_ni,
    .restart_i,
    .ld_start_i,
    .ld_beat_i,
    .ld_commit_i,
    .ld_sw_i,
    .ld_we_i,
    .ld_elem_i,
    .ld_work_i,
    .ld_map_i,
    .ld_tag_i,
    .ld_mask_i,
    .ld_bank_i,
    .ld_min_order_i,
    .ld_compensate_i,
    .fwd_we_i,
    .fwd_elem_i,
    .fwd_map_i,
    .free_o,
    .empty_o,
    .full_o     (full),
    .take_i     (issue),
    .null_o     (null_job),
    .last_o     (last),
    .k_o        (k),
    .i_o        (i),
    .j_o        (j),
    .x_sign_o   (x_sign),
    .x_slice_o  (x_slice),
    .at_min_o   (at_min),
    .ran_bank_o (ran_bank),
    .tile_bank_o(tile_bank),
    .tag_o      (tag),
    .mask_o     (mask)
  );

  // ---- operand register ----------------
  // The stationary operands' is the output register of the tile memory; slice j is taken after it.
  logic              op_valid_q, op_null_q, op_last_q, op_bank_q, op_x_sign_q, op_at_min_q;
  logic [1:0]        op_j_q;
  logic [SliceW-1:0] op_x_q;
  logic [OrderW-1:0] op_order_q;
  logic [TagW-1:0]   op_tag_q;
  logic [Lanes-1:0]  op_mask_q, w_sign, w_comp;
  logic [Lanes*SliceW-1:0] w_slice;

  assign prod_ready = !prod_valid_o || prod_ready_i;
  assign op_ready   = !op_valid_q || prod_ready;
  assign issue      = full && op_ready;

  // One plane of every granule is slice j of its lanes (layout: slice_unpack).
  localparam int GranuleW = GroupValues * ElemW;
  localparam int PlaneW = GroupValues * SliceW;
  for (genvar g = 0; g < Lanes / GroupValues; g++) begin : gen_operand
    assign w_slice[PlaneW * g +: PlaneW]          = w_elem[GranuleW * g + PlaneW * 32'(op_j_q) +: PlaneW];
    assign w_sign[GroupValues * g +: GroupValues] = w_elem[GranuleW * g + PlaneW * 4 +: GroupValues];
  end

  function automatic logic [Lanes-1:0] nonzero(input logic [Lanes*ElemW-1:0] elem);
    logic [Lanes-1:0] found;
    int               at;
    for (int l = 0; l < Lanes; l++) begin
      at = GranuleW * (l / GroupValues) + SliceW * (l % GroupValues);
      found[l] = {elem[at + 3 * PlaneW +: SliceW], elem[at + 2 * PlaneW +: SliceW], elem[at + PlaneW +: SliceW],
                  elem[at +: SliceW]} != '0;
    end
    return found;
  endfunction

  assign w_comp = op_at_min_q ? nonzero(w_elem) : '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      op_valid_q  <= 1'b0;
      op_null_q   <= 1'b0;
      op_last_q   <= 1'b0;
      op_bank_q   <= 1'b0;
      op_x_sign_q <= 1'b0;
      op_x_q      <= '0;
      op_order_q  <= '0;
      op_tag_q    <= '0;
      op_mask_q   <= '0;
      op_j_q      <= '0;
      op_at_min_q <= 1'b0;
    end else begin
      if (op_ready) op_valid_q <= full;
      if (issue) begin
        op_null_q   <= null_job;
        op_last_q   <= last;
        op_bank_q   <= ran_bank;
        op_x_sign_q <= x_sign;
        op_x_q      <= x_slice;
        op_order_q  <= OrderW'(i) + OrderW'(j);
        op_tag_q    <= tag;
        op_mask_q   <= mask;
        op_j_q      <= j;
        op_at_min_q <= at_min;
      end
    end
  end

  // ---- product register ----------------
  // Half units: 2 * x * w + x where a lane is compensated, so x times {w, compensated}. A null's lanes are dead: the
  // elements that it reads may never have been written.
  function automatic logic [Lanes*ProdW-1:0] products(
      input logic [SliceW-1:0] x, input logic x_negative, input logic [Lanes*SliceW-1:0] w,
      input logic [Lanes-1:0] w_negative, input logic [Lanes-1:0] comp, input logic [Lanes-1:0] dead);
    logic [Lanes*ProdW-1:0] lanes;
    logic [ProdW-1:0]       half;
    lanes = '0;
    for (int l = 0; l < Lanes; l++) begin
      if (!dead[l]) begin
        half = ProdW'(x) * ProdW'({w[SliceW * l +: SliceW], comp[l]});
        lanes[ProdW * l +: ProdW] = (x_negative != w_negative[l]) ? -half : half;
      end
    end
    return lanes;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      prod_valid_o <= 1'b0;
      prod_data_o  <= '0;
      prod_order_o <= '0;
      prod_last_o  <= 1'b0;
      prod_null_o  <= 1'b0;
      prod_bank_o  <= 1'b0;
      prod_tag_o   <= '0;
      prod_mask_o  <= '0;
    end else begin
      if (prod_ready) prod_valid_o <= op_valid_q;
      if (prod_ready && op_valid_q) begin
        prod_data_o  <= products(op_x_q, op_x_sign_q, w_slice, w_sign, w_comp, op_mask_q | {Lanes{op_null_q}});
        prod_order_o <= op_order_q;
        prod_last_o  <= op_last_q;
        prod_null_o  <= op_null_q;
        prod_bank_o  <= op_bank_q;
        prod_tag_o   <= op_tag_q;
        prod_mask_o  <= op_mask_q;
      end
    end
  end

  assign idle_o          = empty_o && !op_valid_q && !prod_valid_o;
  assign end_o           = issue && last;
  assign end_bank_o      = tile_bank;
  assign stall_operand_o = !full;
  assign stall_ran_o     = full && !op_ready;

  assign issue_valid_o = issue && !null_job;
  assign issue_null_o  = issue && null_job;
  assign issue_k_o     = null_job ? '0 : ioss_pkg::KIdxW'(k);
  assign issue_i_o     = i;
  assign issue_j_o     = j;
  assign issue_x_o     = {x_sign, x_slice};
  assign issue_tag_o   = tag;

  `TS_ASSERT(LoadingBankIsNotRead, !(wr_en_i && issue && wr_bank_i == tile_bank))
endmodule
