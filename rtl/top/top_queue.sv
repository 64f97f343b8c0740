// Queue of one engine's commands; its oldest one is offered when the done counters have reached what it waits for
// (docs/top/README.md, Commands).
module top_queue
  import top_pkg::cmd_t;
(
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        push_i,        // not when full
  input  cmd_t                        push_cmd_i,
  input  logic [top_pkg::IdW-1:0]     push_id_i,
  output logic                        full_o,
  output logic [2:0]                  queued_o,
  input  logic [3*top_pkg::DoneW-1:0] done_i,        // of load, compute, store
  output logic                        valid_o,       // the oldest may start
  output cmd_t                        cmd_o,         // stays until `pop_i`
  output logic [top_pkg::IdW-1:0]     id_o,
  input  logic                        pop_i
);
  localparam int Depth = top_pkg::QueueDepth;
  localparam int EntryW = top_pkg::CmdW + top_pkg::IdW;
  logic [EntryW-1:0] entry_q [Depth];
  logic [1:0]        read_q, write_q;
  logic [2:0]        count_q;
  logic [2:0]        reached;

  assign full_o = count_q == 3'(Depth);
  assign queued_o = count_q;
  assign {id_o, cmd_o} = entry_q[read_q];
  for (genvar e = 0; e < 3; e++) begin : gen_wait
    /* verilator lint_off UNUSEDSIGNAL */
    logic [top_pkg::DoneW-1:0] ahead;
    /* verilator lint_on UNUSEDSIGNAL */
    assign ahead = done_i[top_pkg::DoneW*e +: top_pkg::DoneW] - cmd_o.head.waits[top_pkg::DoneW*e +: top_pkg::DoneW];
    assign reached[e] = !ahead[top_pkg::DoneW-1];
  end
  assign valid_o = count_q != '0 && reached == '1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_q  <= '0;
      write_q <= '0;
      count_q <= '0;
    end else begin
      if (push_i) write_q <= write_q + 2'd1;
      if (pop_i) read_q <= read_q + 2'd1;
      count_q <= count_q + {2'b00, push_i} - {2'b00, pop_i};
    end
  end
  always_ff @(posedge clk_i) if (push_i) entry_q[write_q] <= {push_id_i, push_cmd_i};
endmodule
