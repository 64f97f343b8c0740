// Commands from the stream in (docs/top/run.md): while RUN is not 0 and no load waits or is carried out, four words make a command, which is pushed in the
// cycle in which its fourth one is taken. That one waits for room in the queue of its engine.
module top_run
  import top_pkg::cmd_t;
(
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       run_valid_i,   // pulse, while left_o is 0
  input  logic [15:0]                run_count_i,
  input  logic [top_pkg::IdW-1:0]    run_id_i,      // of the first command
  output logic [15:0]                left_o,        // commands that are still to come
  input  logic                       load_idle_i,   // no load waits or is carried out
  input  logic [2:0]                 full_i,        // no room, by engine
  input  logic                       s_valid_i,
  output logic                       s_ready_o,     // a word of a command is taken
  input  logic [top_pkg::BeatW-1:0]  s_data_i,
  output logic                       push_valid_o,  // pulse
  output logic [1:0]                 push_engine_o,
  output logic [top_pkg::IdW-1:0]    push_id_o,
  output cmd_t                       push_cmd_o
);
  logic [15:0]                 left_q;
  logic [1:0]                  word_q;
  logic [top_pkg::IdW-1:0]     id_q;
  logic [3*top_pkg::BeatW-1:0] cmd_q;

  logic [1:0] engine;
  logic       take, last;
  assign engine = top_pkg::engine_of(push_cmd_o.head.op);
  assign last = word_q == 2'd3;
  assign s_ready_o = left_q != '0 && load_idle_i && !(last && full_i[engine]);
  assign take = s_valid_i && s_ready_o;
  assign left_o = left_q;
  assign push_valid_o = take && last;
  assign push_engine_o = engine;
  assign push_id_o = id_q;
  assign push_cmd_o = {s_data_i, cmd_q};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q <= '0;
      word_q <= '0;
      id_q   <= '0;
    end else if (run_valid_i) begin
      left_q <= run_count_i;
      id_q   <= run_id_i;
    end else if (take) begin
      word_q <= word_q + 2'd1;
      if (last) begin
        left_q <= left_q - 16'd1;
        id_q   <= id_q + 8'd1;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    for (int w = 0; w < 3; w++) if (take && word_q == 2'(w)) cmd_q[top_pkg::BeatW*w +: top_pkg::BeatW] <= s_data_i;
  end
endmodule
