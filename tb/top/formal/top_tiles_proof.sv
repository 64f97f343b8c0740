// Tiles of a product: those of four cores make up all columns, the cores share them evenly, one has the last, which has the columns that are
// left, for every N from 1 to 65,535.
module top_tiles_proof (
  input logic clk_i
);
  localparam int Cores = 4;
  (* anyseq *) logic [15:0] columns;
  logic [12:0]         tiles_all;
  logic [Cores*13-1:0] tiles;
  logic [Cores-1:0]    has_last;
  logic [5:0]          last_lanes;
  top_tiles #(.Cores(Cores)) u_tiles (
    .columns_i(columns), .tiles_o(tiles_all), .core_tiles_o(tiles), .has_last_o(has_last), .last_lanes_o(last_lanes)
  );
  logic [31:0] all, most, least;
  always_comb begin
    all = '0;
    most = '0;
    least = '1;
    for (int c = 0; c < Cores; c++) begin
      all = all + {19'd0, tiles[13*c +: 13]};
      if ({19'd0, tiles[13*c +: 13]} > most) most = {19'd0, tiles[13*c +: 13]};
      if ({19'd0, tiles[13*c +: 13]} < least) least = {19'd0, tiles[13*c +: 13]};
    end
  end
  always @(posedge clk_i) assume (columns != '0);
  always @(posedge clk_i) begin
    all_shared_out: assert (all == {19'd0, tiles_all});
    columns_fit: assert ((all - 32'd1) * 32'd16 + {26'd0, last_lanes} == {16'd0, columns});
    lanes: assert (last_lanes >= 6'd1 && last_lanes <= 6'd16);
    even: assert (most - least <= 32'd1);
    one_last: assert ($onehot(has_last));
    last_has_a_tile: assert ((has_last[0] && tiles[0 +: 13] != '0) || (has_last[1] && tiles[13 +: 13] != '0) ||
                             (has_last[2] && tiles[26 +: 13] != '0) || (has_last[3] && tiles[39 +: 13] != '0));
    largest: cover (columns == '1 && all == 32'd4096);
    fewer_than_cores: cover (all == 32'd3 && has_last[2]);
  end
endmodule
