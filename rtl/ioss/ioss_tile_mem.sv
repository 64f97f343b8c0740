// One row's copy of the stationary tile, two banks (docs/ioss/README.md, Work; docs/ioss/reference.md, Tile stream).
//
// Values are stored in four memories, one per granule (8 positions of a superword of 32 values; layout: slice_unpack), so that a
// beat of any precision is one write. Each bank has four of its own, with one port: it loads or it serves. Operands are read with the
// clock, as an SRAM is: they are there in the cycle after `rd_en_i` and stay until the next.
module ioss_tile_mem #(
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int TileSwW = 6  // bits of a superword number of the tile
) (
  input  logic clk_i,

  input  logic wr_en_i,
  input  logic wr_bank_i,
  input  logic [TileSwW-1:0] wr_sw_i,
  input  logic [trainslice_pkg::Groups-1:0]     wr_we_i,
  input  logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] wr_elem_i,

  // Operand read: element k, all lanes, in the next cycle
  input  logic rd_en_i,
  input  logic rd_bank_i,
  input  logic [$clog2(Depth)-1:0] rd_k_i,
  output logic [Lanes*trainslice_pkg::ElemW-1:0] rd_elem_o
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int Groups = trainslice_pkg::Groups;
  localparam int GroupValues = trainslice_pkg::GroupValues;
  localparam int ElemW = trainslice_pkg::ElemW;
  localparam int KRows = Values / Lanes;       // elements of a superword of the tile
  localparam int KRowsLog2 = $clog2(KRows);
  localparam int KW = $clog2(Depth);

  // ---- operands ----------------
  logic [Values*ElemW-1:0] rd_word;
  logic                    rd_bank_q;
  always_ff @(posedge clk_i) begin
    if (rd_en_i) rd_bank_q <= rd_bank_i;
  end

  for (genvar g = 0; g < Groups; g++) begin : gen_mem
    localparam int GW = GroupValues * ElemW;
    logic [GW-1:0] read [2];
    for (genvar b = 0; b < 2; b++) begin : gen_bank
      logic [GW-1:0]      mem_q [1 << TileSwW];
      logic [GW-1:0]      read_q;
      logic               load, wr, rd;
      logic [TileSwW-1:0] addr;
      assign load = wr_en_i && wr_bank_i == 1'(b);
      assign wr   = load && wr_we_i[g];
      assign rd   = rd_en_i && rd_bank_i == 1'(b) && !load;
      assign addr = load ? wr_sw_i : rd_k_i[KW-1:KRowsLog2];
      always_ff @(posedge clk_i) begin
        if (wr) mem_q[addr] <= wr_elem_i[GW * g +: GW];
        if (rd) read_q <= mem_q[addr];
      end
      assign read[b] = read_q;
    end
    assign rd_word[GW * g +: GW] = rd_bank_q ? read[1] : read[0];
  end

  if (KRows == 1) begin : gen_one_row
    assign rd_elem_o = rd_word;
  end else begin : gen_rows
    logic [KRowsLog2-1:0] row_q;
    always_ff @(posedge clk_i) begin
      if (rd_en_i) row_q <= rd_k_i[KRowsLog2-1:0];
    end
    assign rd_elem_o = rd_word[Lanes * ElemW * 32'(row_q) +: Lanes * ElemW];
  end
endmodule
