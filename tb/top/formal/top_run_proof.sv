// Commands from the stream in: what is taken, pushed and counted, for a source that keeps the handshake law, and for a register file that writes RUN
// while it is 0. The counter has its whole width: RUN may be written with anything.
module top_run_proof (
  input logic clk_i
);
  (* anyseq *) logic         run_valid, load_idle, s_valid;
  (* anyseq *) logic [15:0]  run_count;
  (* anyseq *) logic [7:0]   run_id;
  (* anyseq *) logic [2:0]   full;
  (* anyseq *) logic [127:0] s_data;
  logic         rst_n, past_q, s_ready, push_valid, take;
  logic [15:0]  left;
  logic [1:0]   push_engine;
  logic [7:0]   push_id;
  logic [511:0] push_cmd;
  logic [15:0]  count_q, pushed_q;    // of the last RUN; pushed since
  logic [1:0]   words_q;              // of the command that is taken
  logic [7:0]   id_q;
  logic [383:0] cmd_q;
  logic         s_valid_q, s_ready_q;
  logic [127:0] s_data_q;
  initial rst_n = 1'b0;
  initial past_q = 1'b0;
  top_run u_run (
    .clk_i, .rst_ni(rst_n), .run_valid_i(run_valid), .run_count_i(run_count), .run_id_i(run_id), .left_o(left),
    .load_idle_i(load_idle), .full_i(full), .s_valid_i(s_valid), .s_ready_o(s_ready), .s_data_i(s_data),
    .push_valid_o(push_valid), .push_engine_o(push_engine), .push_id_o(push_id), .push_cmd_o(push_cmd)
  );
  logic [1:0]   at;
  logic [7:0]   next_id;
  logic [383:0] held;
  assign {at, next_id, held} = {u_run.word_q, u_run.id_q, u_run.cmd_q};
  assign take = s_valid && s_ready;
  logic [1:0] engine;
  assign engine = (push_cmd[3:0] == 4'd1) ? 2'd0 : (push_cmd[3:0] == 4'd4) ? 2'd2 : 2'd1;

  always @(posedge clk_i) begin
    rst_n  <= 1'b1;
    past_q <= rst_n;
    {s_valid_q, s_ready_q, s_data_q} <= {s_valid, s_ready, s_data};
    if (!rst_n) begin
      count_q  <= '0;
      pushed_q <= '0;
      words_q  <= '0;
      id_q     <= '0;
    end else begin
      if (run_valid) begin
        count_q  <= run_count;
        pushed_q <= '0;
        id_q     <= run_id;
      end
      if (take) begin
        words_q <= words_q + 2'd1;
        cmd_q   <= {s_data, cmd_q[383:128]};
      end
      if (push_valid) pushed_q <= pushed_q + 16'd1;
    end
  end
  always @(posedge clk_i) if (rst_n) assume (!run_valid || left == '0);
  always @(posedge clk_i) if (past_q) assume (!s_valid_q || s_ready_q || (s_valid && s_data == s_data_q));
  always @(posedge clk_i) if (rst_n) begin
    counted: assert (left == count_q - pushed_q && pushed_q <= count_q);
    in_step: assert (at == words_q && next_id == 8'(id_q + pushed_q[7:0]));
    word_kept_1: assert (words_q != 2'd1 || held[127:0] == cmd_q[383:256]);
    word_kept_2: assert (words_q != 2'd2 || held[255:0] == cmd_q[383:128]);
    word_kept_3: assert (words_q != 2'd3 || held == cmd_q);
    whole: assert (left != '0 || words_q == '0);
    pushed_whole: assert (push_valid == (take && words_q == 2'd3));
    pushed_words: assert (!push_valid || push_cmd == {s_data, cmd_q});
    pushed_id: assert (!push_valid || push_id == 8'(id_q + pushed_q[7:0]));
    its_engine: assert (!push_valid || push_engine == engine);
    with_room: assert (!push_valid || !full[engine]);
    none_without_run: assert (left != '0 || !s_ready);
    none_beside_a_load: assert (load_idle || !s_ready);
    taken_when_it_can_be: assert (s_ready || left == '0 || !load_idle || (words_q == 2'd3 && full[engine]));
    most: cover (run_valid && run_count == 16'hffff);
    last: cover (push_valid && left == 16'd1 && count_q == 16'd2);
    room_waits: cover (s_valid && !s_ready && load_idle && words_q == 2'd3);
  end
endmodule
