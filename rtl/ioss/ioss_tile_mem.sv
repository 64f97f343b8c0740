// One row's copy of the stationary tile, two banks, with the per-lane map of non-zero slices (docs/ioss/README.md, Work; docs/ioss/reference.md, Tile stream).
//
// Values are stored in four memories, one per granule (8 positions of a superword of 32 values; layout: slice_unpack), so that a
// beat of any precision is one write. The map is kept per lane because a job's out_mask decides which lanes keep a slice pair alive: it
// costs a quarter of the operand memory, and makes the skip decision exact. Operands are read with the clock, as an SRAM is: they are there in
// the cycle after `rd_en_i` and stay until the next. The map is read combinationally.
module ioss_tile_mem #(
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int TileSwW = 6,  // bits of a superword number of the tile
  parameter int VecSwW = 2    // of a vector
) (
  input  logic clk_i,

  input  logic wr_en_i,
  input  logic wr_bank_i,
  input  logic [TileSwW-1:0] wr_sw_i,
  input  logic [trainslice_pkg::Groups-1:0]     wr_we_i,
  input  logic [trainslice_pkg::BeatValues*trainslice_pkg::ElemW-1:0] wr_elem_i,
  input  logic [trainslice_pkg::BeatW-1:0]      wr_nz_i,

  // Operand read: element k, all lanes, in the next cycle
  input  logic rd_en_i,
  input  logic rd_bank_i,
  input  logic [$clog2(Depth)-1:0] rd_k_i,
  output logic [Lanes*trainslice_pkg::ElemW-1:0] rd_elem_o,

  // Map read: elements of one superword of a vector, reduced over the live lanes; plane j (32 bits) is slice j
  input  logic map_en_i,
  input  logic map_bank_i,
  input  logic [VecSwW-1:0] map_sw_i,
  input  logic [Lanes-1:0]            map_mask_i,
  output logic [trainslice_pkg::BeatW-1:0] map_o
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int Groups = trainslice_pkg::Groups;
  localparam int GroupValues = trainslice_pkg::GroupValues;
  localparam int Slices = trainslice_pkg::MaxSlices;
  localparam int ElemW = trainslice_pkg::ElemW;
  localparam int KRows = Values / Lanes;       // elements of a superword of the tile
  localparam int KRowsLog2 = $clog2(KRows);
  localparam int KW = $clog2(Depth);
  localparam int BeatW = trainslice_pkg::BeatW;

  // ---- operands ----------------
  logic [Values*ElemW-1:0] rd_word;

  for (genvar g = 0; g < Groups; g++) begin : gen_mem
    localparam int GW = GroupValues * ElemW;
    logic [GW-1:0] mem_q [2 << TileSwW];
    logic [GW-1:0] read_q;
    always_ff @(posedge clk_i) begin
      if (wr_en_i && wr_we_i[g]) mem_q[{wr_bank_i, wr_sw_i}] <= wr_elem_i[GW * g +: GW];
      if (rd_en_i) read_q <= mem_q[{rd_bank_i, rd_k_i[KW-1:KRowsLog2]}];
    end
    assign rd_word[GW * g +: GW] = read_q;
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

  // ---- map ----------------
  // Element of a tile superword s, row r: k = s * KRows + r; it sits in map word k / 32 at bit k % 32 of each plane.
  logic [KW-1:0]    wr_k;
  logic [BeatW-1:0] lane_map [Lanes];
  logic [VecSwW:0]  map_addr;   // rests at 0 while the map is not read
  assign map_addr = map_en_i ? {map_bank_i, map_sw_i} : '0;
  assign wr_k  = KW'(wr_sw_i) << KRowsLog2;

  for (genvar l = 0; l < Lanes; l++) begin : gen_map
    logic [BeatW-1:0] map_q [2 << VecSwW];
    always_ff @(posedge clk_i) begin
      if (wr_en_i) begin
        for (int r = 0; r < KRows; r++) begin
          for (int j = 0; j < Slices; j++) begin
            if (wr_we_i[(r * Lanes + l) / GroupValues]) begin
              map_q[{wr_bank_i, VecSwW'(wr_k >> 5)}][Values * j + 32'(wr_k[4:0]) + r] <=
                  wr_nz_i[Values * j + r * Lanes + l];
            end
          end
        end
      end
    end
    assign lane_map[l] = map_q[map_addr];
  end

  always_comb begin : p_map
    logic [BeatW-1:0] live;
    live = '0;
    if (map_en_i) begin
      for (int l = 0; l < Lanes; l++) begin
        if (!map_mask_i[l]) live = live | lane_map[l];
      end
    end
    map_o = live;
  end
endmodule
