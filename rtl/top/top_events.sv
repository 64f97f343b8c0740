// Interrupts and failures, as registers show them (docs/top/reference.md, Registers). Events of the cycle in which a write clears them are kept;
// irq_o follows IRQ_STATUS and IRQ_ENABLE one cycle later. Vectors by engine have load's share lowest.
module top_events
  import top_pkg::failure_t;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [2:0]  done_valid_i,     // pulses: a command is done
  input  logic [2:0]  fail_valid_i,     // pulses: it failed
  input  logic [3*top_pkg::CodeW-1:0]   fail_code_i,
  input  logic [3*top_pkg::DetailW-1:0] fail_detail_i,
  input  logic [3*top_pkg::IdW-1:0]     fail_id_i,
  // writes of IRQ_STATUS, IRQ_ENABLE, ERROR_CLEAR
  input  logic        status_write_i,
  input  logic        enable_write_i,
  input  logic        fail_clear_i,
  input  logic [3:0]  wdata_i,
  output logic [3:0]  irq_status_o,
  output logic [3:0]  irq_enable_o,
  output failure_t    failure_o,        // the first one since the last clear
  output logic [7:0]  fail_count_o,
  output logic        irq_o
);
  logic [3:0] irq_status_q, irq_enable_q, irq_set, irq_clear;
  failure_t   failure_q, lowest;        // of the lowest engine
  logic [7:0] fail_count_q, fail_count;
  logic [8:0] fail_sum;
  logic [1:0] fails;
  logic       fail_any, fail_first;
  always_comb begin
    lowest = '0;
    for (int e = 2; e >= 0; e--) begin
      if (fail_valid_i[e]) begin
        lowest = {fail_id_i[top_pkg::IdW*e +: top_pkg::IdW], fail_detail_i[top_pkg::DetailW*e +: top_pkg::DetailW],
                  2'(e), fail_code_i[top_pkg::CodeW*e +: top_pkg::CodeW]};
      end
    end
  end
  assign fail_any = fail_valid_i != '0;
  assign fails = {1'b0, fail_valid_i[0]} + {1'b0, fail_valid_i[1]} + {1'b0, fail_valid_i[2]};
  assign irq_set = {fail_any, done_valid_i};
  assign irq_clear = status_write_i ? wdata_i : '0;
  assign fail_count = fail_clear_i ? '0 : fail_count_q;
  assign fail_sum = {1'b0, fail_count} + {7'd0, fails};
  assign fail_first = fail_any && fail_count == '0;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      irq_status_q  <= '0;
      irq_enable_q  <= top_reg_pkg::ResetIrqEnable[3:0];
      irq_o         <= 1'b0;
      failure_q     <= '0;
      fail_count_q  <= '0;
    end else begin
      irq_status_q <= (irq_status_q & ~irq_clear) | irq_set;
      if (enable_write_i) irq_enable_q <= wdata_i;
      irq_o <= (irq_status_q & irq_enable_q) != '0;
      fail_count_q <= fail_sum[8] ? '1 : fail_sum[7:0];
      if (fail_first) failure_q <= lowest;
      else if (fail_clear_i) failure_q <= '0;
    end
  end
  assign irq_status_o = irq_status_q;
  assign irq_enable_o = irq_enable_q;
  assign failure_o = failure_q;
  assign fail_count_o = fail_count_q;
endmodule
