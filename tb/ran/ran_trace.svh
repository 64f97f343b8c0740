// verilog_syntax: parse-as-module-body
// Binary traces of the RAN's boundaries (docs/bench.md, Traces), for every bench that has a RAN in it: items of a scope that has Rows, Lanes,
// AccW and `Place`, and in which `RAN(port) is a port of the RAN.
//
// Little-endian 32-bit words, written while rst_ni is high; lanes as 64-bit numbers.
//   shift.bin  a record a cycle with a valid row: cycle, rows that are valid, Rows * Lanes numbers
//   tree.bin   a record a cycle with an update: cycle, entries that are updated, their banks, Rows * Lanes numbers
//   swap.bin   a record a job: cycle, {byp, entry, bank, tag}, Lanes numbers
//   quant.bin  a record a job: cycle, tag, overflow, zeros, max_bit, sum_abs, Lanes numbers
//   out.bin    a record a transfer: cycle of valid, cycle, {bits, last, jobs}, data (4), tags (2), masks (4)
//   stat.bin   a record a transfer: cycle of valid, cycle, values, overflow, zeros, max_bit, sum_abs (2)
//   req.bin    a record a transfer: cycle of valid, cycle, tag
//   ran_event.bin  {cycle, kind and data} a record: 1 answer (data: code), 2 bias that is wrong, 3 partial sums that are wrong, 5 new value of rst_ni,
//                  6 new value of busy_o
if (1) begin : gen_ran_trace
  localparam int Places = (Lanes < 32) ? 32 / Lanes : 1;
  localparam int ShiftW = ran_pkg::ShiftW;
  localparam int TreeW = ran_pkg::TreeW;

  function automatic logic [Rows*Lanes*64-1:0] wide_shift(input logic [Rows*Lanes*ShiftW-1:0] a);
    for (int n = 0; n < Rows * Lanes; n++) begin
      wide_shift[64*n +: 64] = {{(64 - ShiftW){a[ShiftW*n + ShiftW - 1]}}, a[ShiftW*n +: ShiftW]};
    end
  endfunction
  function automatic logic [Rows*Lanes*64-1:0] wide_tree(input logic [Rows*Lanes*TreeW-1:0] a);
    for (int n = 0; n < Rows * Lanes; n++) begin
      wide_tree[64*n +: 64] = {{(64 - TreeW){a[TreeW*n + TreeW - 1]}}, a[TreeW*n +: TreeW]};
    end
  endfunction
  function automatic logic [Lanes*64-1:0] wide_acc(input logic [Lanes*AccW-1:0] a);
    for (int n = 0; n < Lanes; n++) wide_acc[64*n +: 64] = {{(64 - AccW){a[AccW*n + AccW - 1]}}, a[AccW*n +: AccW]};
  endfunction
  // One mask word a place.
  function automatic logic [127:0] masks(input logic [Lanes*Places-1:0] a);
    masks = '0;
    for (int n = 0; n < Places; n++) masks[32*n +: 32] = 32'(a[Lanes*n +: Lanes]);
  endfunction

  `TS_FILE(shift, "shift", 2 + 2 * Rows * Lanes)
  `TS_FILE(tree, "tree", 3 + 2 * Rows * Lanes)
  `TS_FILE(swap, "swap", 2 + 2 * Lanes)
  `TS_FILE(quant, "quant", 6 + 2 * Lanes)
  `TS_FILE(out, "out", 13)
  `TS_FILE(stat, "stat", 8)
  `TS_FILE(req, "req", 3)
  `TS_EVENT_FILE("ran_event", 2)
  `TS_LEVEL(busy)
  `TS_SINCE(out, `RAN(out_valid_o), `RAN(out_ready_i))
  `TS_SINCE(stat, `RAN(stat_valid_o), `RAN(stat_ready_i))
  `TS_SINCE(req, `RAN(psum_req_valid_o), `RAN(psum_req_ready_i))

  logic by_value;    // CHECK=value: observation ports need not be driven
  initial if (!$value$plusargs("ts_check_value=%b", by_value)) by_value = 1'b0;

  logic [15:0] quant_tag;
  assign quant_tag = by_value ? `RAN(job_stat_tag_o) : `RAN(obs_quant_tag_o);

  always @(posedge clk_i) begin
    if (rst_ni && !by_value) begin
      if (`RAN(job_stat_valid_o) != `RAN(obs_quant_valid_o)) begin
        $display("TS_ASSERT JobStatisticsAlone in %m at %0t", $time);
      end
      if (`RAN(obs_quant_valid_o) && `RAN(job_stat_tag_o) != `RAN(obs_quant_tag_o)) begin
        $display("TS_ASSERT TagOfStatistics in %m at %0t", $time);
      end
    end
    `TS_EVENT_RESET
    `TS_EVENT_LEVEL(busy, 8'd6, `RAN(busy_o))
    `TS_EVENT(`RAN(rsp_valid_o), 8'd1, `RAN(rsp_code_o))
    `TS_EVENT(`RAN(bias_err_o), 8'd2, 24'd0)
    `TS_EVENT(`RAN(psum_err_o), 8'd3, 24'd0)
    `TS_RECORD(shift, trace_i && `RAN(obs_shift_valid_o) != '0,
               {wide_shift(`RAN(obs_shift_o)), 32'(`RAN(obs_shift_valid_o)), cycle_q})
    `TS_RECORD(tree, trace_i && `RAN(obs_tree_valid_o) != '0,
               {wide_tree(`RAN(obs_tree_o)), 32'(`RAN(obs_tree_bank_o)), 32'(`RAN(obs_tree_valid_o)), cycle_q})
    `TS_RECORD(swap, trace_i && `RAN(obs_swap_valid_o),
               {wide_acc(`RAN(obs_swap_acc_o)), 9'd0, `RAN(obs_swap_byp_o), `RAN(obs_swap_entry_o),
                `RAN(obs_swap_bank_o), `RAN(obs_swap_tag_o), cycle_q})
    `TS_RECORD(quant, trace_i && (by_value ? `RAN(job_stat_valid_o) : `RAN(obs_quant_valid_o)),
               {wide_acc(`RAN(obs_quant_z_o)), 32'(`RAN(job_stat_sum_abs_o)), 32'(`RAN(job_stat_max_bit_o)),
                32'(`RAN(job_stat_zeros_o)), 32'(`RAN(job_stat_overflow_o)), 32'(quant_tag), cycle_q})
    `TS_RECORD(out, `RAN(out_valid_o) && `RAN(out_ready_i),
               {masks(`RAN(out_mask_o)), 64'(`RAN(out_tag_o)), `RAN(out_data_o), 8'd0, 5'd0, `RAN(out_bits_o), 7'd0,
                `RAN(out_last_o), 5'd0, `RAN(out_jobs_o), cycle_q, out_since})
    `TS_RECORD(stat, `RAN(stat_valid_o) && `RAN(stat_ready_i),
               {64'(`RAN(stat_sum_abs_o)), 32'(`RAN(stat_max_bit_o)), `RAN(stat_zeros_o), `RAN(stat_overflow_o),
                `RAN(stat_values_o), cycle_q, stat_since})
    `TS_RECORD(req, `RAN(psum_req_valid_o) && `RAN(psum_req_ready_i), {32'(`RAN(psum_req_tag_o)), cycle_q, req_since})
  end
end
