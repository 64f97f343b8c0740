// Statistics of tensors: every slot adds up its jobs', and a tensor its slots', in the order of their retirement
// (docs/ran/README.md, Statistics).
module ran_stats (
  input  logic clk_i,
  input  logic rst_ni,

  input  logic                      job_i,        // a job's statistics
  input  logic [ran_pkg::SlotW-1:0] job_slot_i,
  input  logic [5:0]                job_values_i,
  input  logic [5:0]                job_overflow_i,
  input  logic [5:0]                job_zeros_i,
  input  logic [5:0]                job_max_bit_i,
  input  logic [20:0]               job_sum_abs_i,

  input  logic                      accept_i,     // a slot begins
  input  logic [ran_pkg::SlotW-1:0] accept_slot_i,
  input  logic                      retire_i,
  input  logic [ran_pkg::SlotW-1:0] retire_slot_i,
  input  logic                      retire_last_i,
  output logic                      record_free_o,

  output logic        stat_valid_o,
  input  logic        stat_ready_i,
  output logic [31:0] stat_values_o,
  output logic [31:0] stat_overflow_o,
  output logic [31:0] stat_zeros_o,
  output logic [5:0]  stat_max_bit_o,
  output logic [47:0] stat_sum_abs_o
);
  localparam int Slots = ran_pkg::Slots;
  localparam int RecordW = trainslice_pkg::StatW;
  localparam int CountW = trainslice_pkg::StatCountW;
  localparam int SumW = trainslice_pkg::StatSumW;

  logic [Slots*RecordW-1:0] slots_q;
  logic [RecordW-1:0] tensor_q, record_q, job, retiring, tensor;

  assign job = {CountW'(job_values_i), CountW'(job_overflow_i), CountW'(job_zeros_i), job_max_bit_i,
                SumW'(job_sum_abs_i)};
  assign retiring = slots_q[RecordW*retire_slot_i +: RecordW];
  stat_join u_tensor (
    .a_i   (tensor_q),
    .b_i   (retiring),
    .both_o(tensor)
  );
  assign record_free_o = !stat_valid_o || stat_ready_i;
  assign {stat_values_o, stat_overflow_o, stat_zeros_o, stat_max_bit_o, stat_sum_abs_o} = record_q;

  for (genvar s = 0; s < Slots; s++) begin : gen_slot
    logic [RecordW-1:0] so_far, sum;
    assign so_far = slots_q[RecordW*s +: RecordW];
    stat_join u_slot (
      .a_i   (so_far),
      .b_i   (job),
      .both_o(sum)
    );
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        slots_q[RecordW*s +: RecordW] <= '0;
      end else if (accept_i && accept_slot_i == ran_pkg::SlotW'(s)) begin
        slots_q[RecordW*s +: RecordW] <= '0;
      end else if (job_i && job_slot_i == ran_pkg::SlotW'(s)) begin
        slots_q[RecordW*s +: RecordW] <= sum;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tensor_q     <= '0;
      record_q     <= '0;
      stat_valid_o <= 1'b0;
    end else begin
      if (retire_i) tensor_q <= retire_last_i ? '0 : tensor;
      if (retire_i && retire_last_i) begin
        record_q     <= tensor;
        stat_valid_o <= 1'b1;
      end else if (stat_ready_i) begin
        stat_valid_o <= 1'b0;
      end
    end
  end
endmodule
