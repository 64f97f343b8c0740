// Tile stream of the IOSS core: unpacks beats and writes them to the rows' tile copies (docs/ioss/reference.md, Tile stream).
//
// A beat is written at the edge at which it is taken, to every row whose member index it belongs to. A tile whose `last` is not exactly at
// its last beat is refused: swallowed up to `last`, then reported with `tile_err_o` and to the banks.
module ioss_tile_loader
  import ioss_pkg::tile_t;
#(
  parameter int Rows = 8,
  parameter int LanesLog2 = 4,
  parameter int SwW = 6  // bits of a superword number of the tile
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        tile_valid_i,
  output logic        tile_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] tile_data_i,
  input  logic        tile_last_i,
  output logic        tile_err_o,

  input  logic        load_active_i,
  input  logic        load_first_i,
  /* verilator lint_off UNUSEDSIGNAL */  // what vectors need
  input  tile_t       load_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic        load_step_o,
  output logic        load_end_o,
  output logic        load_bad_o,

  output logic            wr_en_o,
  output logic [2:0]      wr_member_o,
  output logic [Rows-1:0] wr_row_o,  // rows that take this beat
  output logic [SwW-1:0] wr_sw_o,
  output logic [trainslice_pkg::Groups-1:0]     wr_we_o,
  output logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] wr_elem_o,
  output logic [trainslice_pkg::BeatW-1:0]      wr_nz_o
);
  logic        swallow_q;   // the tile's length is past, its last is missing
  logic [2:0]  member;
  logic [15:0] beat;
  logic        last;
  logic [15:0] unused_len, unused_beat;
  logic [2:0]  unused_member;

  ioss_chunk_walker #(
    .ScaleLog2(LanesLog2)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .first_i (load_first_i),
    .step_i  (load_step_o),
    .k_len_i (load_i.desc.k_len),
    .chunk_i (load_i.chunk),
    .slices_i(load_i.desc.w_slices),
    .member_o(member),
    .beat_o  (beat),
    .len_o   (unused_len),
    .last_o  (last),
    .next_member_o(unused_member),
    .next_beat_o  (unused_beat)
  );

  slice_unpack #(
    .SwW(SwW)
  ) u_unpack (
    .data_i    (tile_data_i),
    .slices_i  (load_i.desc.w_slices),
    .unsigned_i(load_i.desc.w_unsigned),
    .beat_i    (beat),
    .sw_o      (wr_sw_o),
    .we_o      (wr_we_o),
    .elem_o    (wr_elem_o),
    .nz_o      (wr_nz_o)
  );

  assign tile_ready_o = load_active_i;
  assign load_step_o  = tile_valid_i && tile_ready_o;
  assign load_end_o   = load_step_o && tile_last_i;
  assign load_bad_o   = swallow_q || !last;

  assign wr_en_o     = load_step_o && !swallow_q;
  assign wr_member_o = member;
  for (genvar r = 0; r < Rows; r++) begin : gen_row
    assign wr_row_o[r] = wr_en_o && ((4'(r) & (load_i.desc.reduce_factor - 4'd1)) == 4'(member));
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      swallow_q  <= 1'b0;
      tile_err_o <= 1'b0;
    end else begin
      tile_err_o <= load_end_o && load_bad_o;
      if (load_end_o) begin
        swallow_q <= 1'b0;
      end else if (load_step_o && last) begin
        swallow_q <= 1'b1;
      end
    end
  end
endmodule
