// Commands on their way to the engines (docs/top/README.md, Commands): pushed by the host or taken from the stream in, kept in queues, counted
// when they are done. Vectors by engine have load's share lowest.
//
// PUSH is refused from the cycle on in which RUN is not 0 until it is 0 again: the two never push in one cycle.
module top_commands
  import top_pkg::cmd_t;
(
  input  logic                       clk_i,
  input  logic                       rst_ni,
  // registers
  input  logic                       push_valid_i,
  input  logic [1:0]                 push_engine_i,
  input  logic [top_pkg::IdW-1:0]    push_id_i,
  input  cmd_t                       push_cmd_i,
  input  logic                       run_valid_i,     // pulse: RUN was written
  input  logic [15:0]                run_count_i,
  input  logic [top_pkg::IdW-1:0]    run_id_i,
  output logic [15:0]                run_left_o,      // commands that are still to come
  output logic [2:0]                 full_o,
  output logic [8:0]                 queued_o,
  output logic [3*top_pkg::DoneW-1:0] done_o,         // counters
  // the stream in
  input  logic                       s_valid_i,
  output logic                       s_ready_o,
  input  logic [top_pkg::BeatW-1:0]  s_data_i,
  // engines
  output logic [2:0]                 cmd_valid_o,
  output logic [3*top_pkg::CmdW-1:0] cmd_o,
  output logic [3*top_pkg::IdW-1:0]  id_o,
  input  logic [2:0]                 cmd_done_i,      // pulses,
  input  logic [3*top_pkg::CodeW-1:0] cmd_code_i,     // with this code
  output logic [2:0]                 fail_o           // pulses
);
  localparam int DoneW = top_pkg::DoneW;
  logic                    run_push, push_valid;
  logic [1:0]              run_engine, push_engine;
  logic [top_pkg::IdW-1:0] run_id, push_id;
  cmd_t                    run_cmd, push_cmd;
  top_run u_run (
    .clk_i, .rst_ni, .run_valid_i, .run_count_i, .run_id_i, .left_o(run_left_o), .load_idle_i(queued_o[0 +: 3] == '0),
    .full_i(full_o), .s_valid_i, .s_ready_o, .s_data_i, .push_valid_o(run_push), .push_engine_o(run_engine),
    .push_id_o(run_id), .push_cmd_o(run_cmd)
  );
  assign push_valid = push_valid_i || run_push;
  assign push_engine = run_push ? run_engine : push_engine_i;
  assign push_id = run_push ? run_id : push_id_i;
  assign push_cmd = run_push ? run_cmd : push_cmd_i;

  for (genvar e = 0; e < top_pkg::Engines; e++) begin : gen_queue
    top_queue u_queue (
      .clk_i, .rst_ni,
      .push_i    (push_valid && push_engine == 2'(e)),
      .push_cmd_i(push_cmd),
      .push_id_i (push_id),
      .full_o    (full_o[e]),
      .queued_o  (queued_o[3*e +: 3]),
      .done_i    (done_o),
      .valid_o   (cmd_valid_o[e]),
      .cmd_o     (cmd_o[top_pkg::CmdW*e +: top_pkg::CmdW]),
      .id_o      (id_o[top_pkg::IdW*e +: top_pkg::IdW]),
      .pop_i     (cmd_done_i[e])
    );
    assign fail_o[e] = cmd_done_i[e] && cmd_code_i[top_pkg::CodeW*e +: top_pkg::CodeW] != top_pkg::CmdOk;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        done_o[DoneW*e +: DoneW] <= '0;
      end else if (cmd_done_i[e]) begin
        done_o[DoneW*e +: DoneW] <= done_o[DoneW*e +: DoneW] + DoneW'(1);
      end
    end
  end
endmodule
