// A descriptor of the pair as the 104 bits that a source of descriptors plays (tb/ran/program.py), of the ports at `at`.
`ifndef GEMM_DESC_SVH
`define GEMM_DESC_SVH
`define GEMM_DESC(at) {at``desc_draw_i, at``desc_stat_last_i, at``desc_lanes_i, at``desc_start_i, at``desc_shift_i, \
                       at``desc_rand_bits_i, at``desc_round_i, at``desc_relu_i, at``desc_y_unsigned_i, \
                       at``desc_y_bits_i, at``desc_n_jobs_i, at``desc_k_len_i, at``desc_reduce_factor_i, \
                       at``desc_x_unsigned_i, at``desc_w_unsigned_i, at``desc_compensate_i, at``desc_x_slices_i, \
                       at``desc_w_slices_i, at``desc_min_order_i}
`endif
