`include "ts_trace.svh"

// Binary traces of the RAN's boundaries (docs/environment.md); of use in every bench that has a RAN in it.
//
// Little-endian 32-bit words, written while rst_ni is high; lanes as 64-bit numbers.
//   shift.bin  a record a cycle with a valid row: cycle, rows that are valid, Rows * Lanes numbers
//   tree.bin   a record a cycle with an update: cycle, entries that are updated, their banks, Rows * Lanes numbers
//   swap.bin   a record a job: cycle, {byp, entry, bank, tag}, Lanes numbers
//   quant.bin  a record a job: cycle, tag, overflow, zeros, max_bit, sum_abs, Lanes numbers
//   out.bin    a record a transfer: cycle of valid, cycle, {bits, last, jobs}, data (4), tags (2), masks (4)
//   stat.bin   a record a transfer: cycle of valid, cycle, values, overflow, zeros, max_bit, sum_abs (2)
//   req.bin    a record a transfer: cycle of valid, cycle, tag
//   ran_event.bin  {cycle, kind and data} a record; kinds below
module ran_trace #(
  parameter Place = ".",          // folder of the traces
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] cycle_i,
  input logic        trace_i,        // write what has lanes
  input logic        flush_i,

  input logic        rsp_valid_i,
  input logic [3:0]  rsp_code_i,
  input logic        bias_err_i,
  input logic        psum_err_i,
  input logic        busy_i,
  input logic [Rows-1:0] shift_valid_i,
  input logic [Rows*Lanes*ran_pkg::ShiftW-1:0] shift_i,
  input logic [Rows-1:0] tree_valid_i,
  input logic [Rows-1:0] tree_bank_i,
  input logic [Rows*Lanes*ran_pkg::TreeW-1:0] tree_i,
  input logic        swap_valid_i,
  input logic        swap_byp_i,
  input logic [4:0]  swap_entry_i,
  input logic        swap_bank_i,
  input logic [15:0] swap_tag_i,
  input logic [Lanes*AccW-1:0] swap_acc_i,
  input logic        quant_valid_i,
  input logic [15:0] quant_tag_i,
  input logic [Lanes*AccW-1:0] quant_z_i,
  input logic        job_stat_valid_i,
  input logic [5:0]  job_stat_overflow_i,
  input logic [5:0]  job_stat_zeros_i,
  input logic [5:0]  job_stat_max_bit_i,
  input logic [20:0] job_stat_sum_abs_i,
  input logic        out_valid_i,
  input logic        out_ready_i,
  input logic [127:0] out_data_i,
  input logic        out_last_i,
  input logic [2:0]  out_bits_i,
  input logic [2:0]  out_jobs_i,
  input logic [16*((Lanes < 32) ? 32/Lanes : 1)-1:0]    out_tag_i,
  input logic [Lanes*((Lanes < 32) ? 32/Lanes : 1)-1:0] out_mask_i,
  input logic        stat_valid_i,
  input logic        stat_ready_i,
  input logic [31:0] stat_values_i,
  input logic [31:0] stat_overflow_i,
  input logic [31:0] stat_zeros_i,
  input logic [5:0]  stat_max_bit_i,
  input logic [47:0] stat_sum_abs_i,
  input logic        req_valid_i,
  input logic        req_ready_i,
  input logic [15:0] req_tag_i
);
  localparam logic [7:0] EvRsp = 8'd1;
  localparam logic [7:0] EvBiasErr = 8'd2;
  localparam logic [7:0] EvPsumErr = 8'd3;
  localparam logic [7:0] EvReset = 8'd5;    // data: new value of rst_ni, logged with the first cycle that has it
  localparam logic [7:0] EvBusy = 8'd6;     // data: new value of busy_o
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

  localparam int ShiftWords = 2 + 2 * Rows * Lanes;
  localparam int TreeWords = 3 + 2 * Rows * Lanes;
  localparam int SwapWords = 2 + 2 * Lanes;
  localparam int QuantWords = 6 + 2 * Lanes;
  logic [32*ShiftWords-1:0] shift_record;
  logic [32*TreeWords-1:0]  tree_record;
  logic [32*SwapWords-1:0]  swap_record;
  logic [32*QuantWords-1:0] quant_record;
  logic [32*13-1:0]         out_record;
  logic [32*8-1:0]          stat_record;
  logic [32*3-1:0]          req_record;
  integer shift_fd, tree_fd, swap_fd, quant_fd, out_fd, stat_fd, req_fd, event_fd;
  logic   rst_q, busy_q, by_value;    // CHECK=value: observation ports need not be driven
  logic [31:0] out_since, stat_since, req_since;

  initial begin
    shift_fd = $fopen({Place, "/shift.bin"}, "wb");
    tree_fd  = $fopen({Place, "/tree.bin"}, "wb");
    swap_fd  = $fopen({Place, "/swap.bin"}, "wb");
    quant_fd = $fopen({Place, "/quant.bin"}, "wb");
    out_fd   = $fopen({Place, "/out.bin"}, "wb");
    stat_fd  = $fopen({Place, "/stat.bin"}, "wb");
    req_fd   = $fopen({Place, "/req.bin"}, "wb");
    event_fd = $fopen({Place, "/ran_event.bin"}, "wb");
    if (!$value$plusargs("ts_check_value=%b", by_value)) by_value = 1'b0;
    rst_q    = 1'b0;
    busy_q   = 1'b0;
  end

  ts_since u_out_since (
    .clk_i, .rst_ni, .cycle_i, .valid_i(out_valid_i), .ready_i(out_ready_i), .since_o(out_since)
  );
  ts_since u_stat_since (
    .clk_i, .rst_ni, .cycle_i, .valid_i(stat_valid_i), .ready_i(stat_ready_i), .since_o(stat_since)
  );
  ts_since u_req_since (
    .clk_i, .rst_ni, .cycle_i, .valid_i(req_valid_i), .ready_i(req_ready_i), .since_o(req_since)
  );

  always @(posedge clk_i) begin
    rst_q <= rst_ni;
    if (rst_ni != rst_q) $fwrite(event_fd, "%u%u", cycle_i, {EvReset, 23'd0, rst_ni});
    if (rst_ni) begin
      busy_q <= busy_i;
      if (busy_i != busy_q) $fwrite(event_fd, "%u%u", cycle_i, {EvBusy, 23'd0, busy_i});
      if (rsp_valid_i) $fwrite(event_fd, "%u%u", cycle_i, {EvRsp, 20'd0, rsp_code_i});
      if (bias_err_i) $fwrite(event_fd, "%u%u", cycle_i, {EvBiasErr, 24'd0});
      if (psum_err_i) $fwrite(event_fd, "%u%u", cycle_i, {EvPsumErr, 24'd0});
      if (!by_value && job_stat_valid_i != quant_valid_i) $display("TS_ASSERT JobStatisticsAlone in %m at %0t", $time);
      /* verilator lint_off BLKSEQ */
      if (trace_i && shift_valid_i != '0) begin
        shift_record = {wide_shift(shift_i), 32'(shift_valid_i), cycle_i};
        `TS_TRACE(shift_fd, shift_record, ShiftWords)
      end
      if (trace_i && tree_valid_i != '0) begin
        tree_record = {wide_tree(tree_i), 32'(tree_bank_i), 32'(tree_valid_i), cycle_i};
        `TS_TRACE(tree_fd, tree_record, TreeWords)
      end
      if (trace_i && swap_valid_i) begin
        swap_record = {wide_acc(swap_acc_i), 9'd0, swap_byp_i, swap_entry_i, swap_bank_i, swap_tag_i, cycle_i};
        `TS_TRACE(swap_fd, swap_record, SwapWords)
      end
      if (trace_i && (by_value ? job_stat_valid_i : quant_valid_i)) begin
        quant_record = {wide_acc(quant_z_i), 32'(job_stat_sum_abs_i), 32'(job_stat_max_bit_i), 32'(job_stat_zeros_i),
                        32'(job_stat_overflow_i), 32'(quant_tag_i), cycle_i};
        `TS_TRACE(quant_fd, quant_record, QuantWords)
      end
      if (out_valid_i && out_ready_i) begin
        out_record = {masks(out_mask_i), 64'(out_tag_i), out_data_i, 8'd0, 5'd0, out_bits_i, 7'd0, out_last_i, 5'd0,
                      out_jobs_i, cycle_i, out_since};
        `TS_TRACE(out_fd, out_record, 13)
      end
      if (stat_valid_i && stat_ready_i) begin
        stat_record = {64'(stat_sum_abs_i), 32'(stat_max_bit_i), stat_zeros_i, stat_overflow_i, stat_values_i, cycle_i,
                       stat_since};
        `TS_TRACE(stat_fd, stat_record, 8)
      end
      if (req_valid_i && req_ready_i) begin
        req_record = {32'(req_tag_i), cycle_i, req_since};
        `TS_TRACE(req_fd, req_record, 3)
      end
      /* verilator lint_on BLKSEQ */
    end else begin
      busy_q <= 1'b0;
    end
    if (flush_i) begin
      $fflush(shift_fd);
      $fflush(tree_fd);
      $fflush(swap_fd);
      $fflush(quant_fd);
      $fflush(out_fd);
      $fflush(stat_fd);
      $fflush(req_fd);
      $fflush(event_fd);
    end
  end
endmodule
