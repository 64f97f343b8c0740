// verilog_syntax: parse-as-module-body
// Sinks and checks of the streams that leave a RAN, and the memory that gives its partial sums back: items of a bench whose device has these ports.
localparam int Places = (Lanes < 32) ? 32 / Lanes : 1;
`TS_SINK_ON(req, psum_req_ready_i)
`TS_SINK(out)
`TS_SINK(stat)
`TS_CHECK_ON(req, 16, psum_req_valid_o, psum_req_ready_i, psum_req_tag_o)
`TS_CHECK(out, 128 + 7 + 16*Places + Lanes*Places,
          {out_data_o, out_last_o, out_bits_o, out_jobs_o, out_tag_o, out_mask_o})
`TS_CHECK(stat, 150, {stat_values_o, stat_overflow_o, stat_zeros_o, stat_max_bit_o, stat_sum_abs_o})
ran_psum_memory #(.Lanes(Lanes)) u_psum_memory (
  .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .distance_i(psum_distance_i),
  .req_valid_i(psum_req_valid_o), .req_ready_i(psum_req_ready_i), .req_tag_i(psum_req_tag_o),
  .valid_o(psum_valid_i), .ready_i(psum_ready_o), .data_o(psum_data_i), .last_o(psum_last_i),
  .out_valid_i(out_valid_o), .out_ready_i(out_ready_i), .out_data_i(out_data_o), .out_last_i(out_last_o),
  .out_bits_i(out_bits_o), .out_tag_i(out_tag_o[15:0])
);
