// Tiles of a product: those of four cores make up all columns, the cores share them evenly, one has the last, which has the columns that are
// left, for every N from 1 to 65,535.
module top_tiles_proof (
  input logic clk_i
);
  localparam int Cores = 4;
  (* anyseq *) logic [15:0] columns;
  logic [top_pkg::CmdW-1:0] cmd;
  logic [Cores*13-1:0] tiles;
  logic [Cores-1:0]    has_last;
  logic [5:0]          last_lanes;
  always_comb begin
    cmd = '0;
    cmd[3:0] = 4'(top_pkg::OpGemm);
    cmd[79:64] = columns;
  end
  top_compute #(.Cores(Cores)) u_compute (
    .clk_i, .rst_ni(1'b1), .cmd_valid_i(1'b0), .cmd_i(cmd), .cmd_done_o(), .cmd_code_o(), .cmd_detail_o(), .busy_o(),
    .gemm_o(), .start_o(), .core_done_i('0), .core_range_i('0), .core_stat_i('0), .tiles_o(tiles),
    .has_last_o(has_last), .last_lanes_o(last_lanes), .n_x_o(), .n_w_o(), .min_order_o(), .y_bits_o(),
    .shift_o(), .stat_o(), .upd_valid_o(), .upd_ready_i(1'b0), .upd_ref_o(), .upd_rsp_valid_i(1'b0),
    .upd_rsp_code_i('0), .ord_valid_o(), .ord_ready_i(1'b0),
    .ord_x_o(), .ord_w_o(), .ord_y_o(), .ord_k_o(), .ord_rsp_valid_i(1'b0), .ord_rsp_code_i('0), .ord_rsp_plan_i('0),
    .plan_addr_i('0), .plan_data_o(), .opt_start_o(), .opt_done_i(1'b0), .opt_refused_i(1'b0), .opt_code_i('0),
    .opt_range_i(1'b0), .opt_keep_o(), .feed_start_o(), .feed_ready_i(1'b0), .feed_o(),
    .kept_n_i('0), .kept_drawn_i(1'b0)
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
