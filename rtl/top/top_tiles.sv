// Tiles of a product's columns, shared out among the cores (docs/top/README.md, GEMM).
module top_tiles #(
  parameter int Cores = 1
) (
  input  logic [15:0]         columns_i,      // not 0
  output logic [12:0]         tiles_o,
  output logic [Cores*13-1:0] core_tiles_o,
  output logic [Cores-1:0]    has_last_o,     // its last tile is the product's last,
  output logic [5:0]          last_lanes_o    // which has so many columns
);
  logic [3:0]  last_columns;
  assign tiles_o = 13'((17'(columns_i) + 17'd15) >> 4);
  assign last_columns = columns_i[3:0] - 4'd1;
  assign last_lanes_o = 6'(last_columns) + 6'd1;
  for (genvar c = 0; c < Cores; c++) begin : gen_core
    assign core_tiles_o[13*c +: 13] = 13'((14'(tiles_o) + 14'(Cores - 1 - c)) / 14'(Cores));
    assign has_last_o[c] = (tiles_o - 13'd1) % 13'(Cores) == 13'(c);
  end
endmodule
