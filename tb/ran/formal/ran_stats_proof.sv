// Registers of the statistics of tensors of any length (docs/ran/README.md, Statistics): proved with `make prove BLOCK=ran`.
//
// No run is long enough for the upper bits. So the registers start with anything at all, and a few cycles look at what they hold: slot A at
// 2 (retired twice: what was in the tensor is gone), slot A at 4 through the tensor's register, with a new slot B after it, and at 5 the
// new slot. That the top bits of every register can be seen are covers; that sums are right is stat_join_proof's.
module ran_stats_proof (
  input logic clk_i
);
  localparam int StatW = trainslice_pkg::StatW;
  localparam logic [2:0] LastStep = 3'd6;

  (* anyconst *) logic [ran_pkg::SlotW-1:0] slot_a, slot_b;
  logic [2:0] step_q;
  initial step_q = 3'd0;
  always @(posedge clk_i) if (step_q != LastStep) step_q <= step_q + 3'd1;

  logic             valid, record_free, tops;
  logic [StatW-1:0] seen;
  logic [ran_pkg::SlotW-1:0] retire_slot;
  assign retire_slot = (step_q >= 3'd3) ? slot_b : slot_a;
  ran_stats u_stats (
    .clk_i, .rst_ni(1'b1), .job_i(1'b0), .job_slot_i('0), .job_values_i('0), .job_overflow_i('0), .job_zeros_i('0),
    .job_max_bit_i('0), .job_sum_abs_i('0), .accept_i(step_q == 3'd2), .accept_slot_i(slot_b), .retire_i(1'b1),
    .retire_slot_i(retire_slot), .retire_last_i(step_q != 3'd2), .record_free_o(record_free), .stat_valid_o(valid),
    .stat_ready_i(1'b1), .stat_values_o(seen[149:118]), .stat_overflow_o(seen[117:86]), .stat_zeros_o(seen[85:54]),
    .stat_max_bit_o(seen[53:48]), .stat_sum_abs_o(seen[47:0])
  );
  assign tops = seen[149] && seen[117] && seen[85] && seen[53] && seen[47];

  always_comb assume (slot_a != slot_b);
  always @(posedge clk_i) begin
    record_free_in_time: assert (record_free);
    if (step_q == 3'd2 || step_q == 3'd4) record_valid: assert (valid);
    if (step_q == 3'd5) new_slot_is_empty: assert (seen == '0);
  end
  always @(posedge clk_i) begin
    slot_0_full: cover (step_q == 3'd2 && slot_a == 2'd0 && tops);
    slot_1_full: cover (step_q == 3'd2 && slot_a == 2'd1 && tops);
    slot_2_full: cover (step_q == 3'd2 && slot_a == 2'd2 && tops);
    slot_3_full: cover (step_q == 3'd2 && slot_a == 2'd3 && tops);
    tensor_full: cover (step_q == 3'd4 && tops);
  end
endmodule
