// Compute engine: GEMM on the cores, OPT, PLAN and UPDATE (docs/top/README.md, Commands). A command begins at its first cycle with `cmd_valid_i`.
module top_compute #(
  parameter int Cores = 1,
  parameter int Rows = 8,
  parameter int Depth = 128,
  parameter int AccW = 40
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                        cmd_valid_i,
  input  logic [top_pkg::CmdW-1:0]    cmd_i,
  output logic                        cmd_done_o,      // pulse
  output logic [top_pkg::CodeW-1:0]   cmd_code_o,
  output logic [top_pkg::DetailW-1:0] cmd_detail_o,
  output logic                        busy_o,
  output logic                        gemm_o,          // a GEMM is carried out: the cores own Y's ports
  // cores
  output logic                        start_o,         // pulse
  input  logic [Cores-1:0]            core_done_i,     // pulse each
  input  logic [Cores-1:0]            core_range_i,
  input  logic [Cores*trainslice_pkg::StatW-1:0]   core_stat_i,
  output logic [Cores*13-1:0]         tiles_o,
  output logic [Cores-1:0]            has_last_o,
  output logic [5:0]                  last_lanes_o,
  output logic [2:0]                  n_x_o,
  output logic [2:0]                  n_w_o,
  output logic [2:0]                  min_order_o,
  output logic [2:0]                  y_bits_o,
  output logic [5:0]                  shift_o,
  output logic [top_pkg::GeometryW-1:0] x_lengths_o,    // of windows
  output logic [top_pkg::GeometryW-1:0] w_lengths_o,
  output logic [trainslice_pkg::StatW-1:0]   stat_o,          // of the last GEMM
  // LAPS
  output logic                        upd_valid_o,
  input  logic                        upd_ready_i,
  output logic [laps_pkg::RefW-1:0]   upd_ref_o,
  output logic [trainslice_pkg::StatW-1:0] upd_stat_o,
  input  logic                        upd_rsp_valid_i, // of this update
  input  logic [1:0]                  upd_rsp_code_i,
  output logic                        ord_valid_o,
  input  logic                        ord_ready_i,
  output logic [laps_pkg::RefW-1:0]   ord_x_o,
  output logic [laps_pkg::RefW-1:0]   ord_w_o,
  output logic [laps_pkg::RefW-1:0]   ord_y_o,
  output logic [15:0]                 ord_k_o,
  input  logic                        ord_rsp_valid_i,
  input  logic [1:0]                  ord_rsp_code_i,
  input  logic [top_pkg::PlanW-2:0]   ord_rsp_plan_i,  // {shift, fl y w x, order, n y w x}
  // plan table, read by the host and by stores
  input  logic [6:0]                  plan_addr_i,
  output logic [31:0]                 plan_data_o,
  input  logic [4:0]                  record_slot_i,
  output logic [top_pkg::BeatW-1:0]   record_plan_o,
  // OPT
  output logic                        opt_start_o,     // pulse
  input  logic                        opt_done_i,      // pulse
  input  logic                        opt_refused_i,
  input  logic [3:0]                  opt_code_i,
  input  logic                        opt_range_i,
  output logic                        opt_keep_o,      // pulse: the pass is kept for a product
  output logic                        feed_start_o,    // pulse: what is kept begins
  input  logic                        feed_ready_i,    // pulse: it was accepted
  output logic                        feed_o,          // the GEMM's results feed it
  input  logic [optc_pkg::CountW-1:0] kept_n_i,
  input  logic                        kept_drawn_i
);
  localparam logic [3:0] Idle = 4'd0, Gemm = 4'd1, Update = 4'd2, Answer = 4'd3, Opt = 4'd4, Ask = 4'd5, Told = 4'd6,
      Done = 4'd7, Arm = 4'd8;
  localparam int PlanW = top_pkg::PlanW;
  localparam int StatW = trainslice_pkg::StatW;

  // ---- fields ----------------
  logic [3:0]  state_q;
  logic [top_pkg::CodeW-1:0]   code_q;
  logic [top_pkg::DetailW-1:0] detail_q;
  /* verilator lint_off UNUSEDSIGNAL */  // fields of the cores and of other engines
  logic [top_pkg::CmdW-1:0] cmd;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [3:0]  op;
  logic [15:0] k, jobs, columns;
  logic        planned, update, raw, tells;
  logic [4:0]  gemm_slot, ask_slot;
  assign cmd = cmd_i;
  assign op = cmd[3:0];
  assign k = cmd[47:32];
  assign jobs = cmd[63:48];
  assign columns = cmd[79:64];
  assign planned = cmd[32*9 + 1];
  assign gemm_slot = cmd[32*9 + 2 +: 5];
  assign update = cmd[32*9 + 7];
  assign tells = op == 4'(top_pkg::OpUpdate);
  assign upd_ref_o = tells ? cmd[32*6 +: laps_pkg::RefW] : cmd[32*9 + 8 +: laps_pkg::RefW];
  assign upd_stat_o = tells ? {cmd[32*1 +: 32], cmd[32*2 +: 32], cmd[32*3 +: 32], cmd[32*6 + 10 +: 6], cmd[32*5 +: 16],
                               cmd[32*4 +: 32]} : stat_o;
  assign raw = cmd[32*8 + 16 +: 3] == 3'(ran_pkg::YRaw32) || cmd[32*8 + 16 +: 3] == 3'(ran_pkg::YRaw64);
  assign ord_x_o = cmd[41:32];
  assign ord_w_o = cmd[51:42];
  assign ask_slot = cmd[56:52];
  assign ord_y_o = cmd[73:64];
  assign ord_k_o = cmd[95:80];

  // ---- plan table ----------------
  logic [PlanW-1:0] plan_q [top_pkg::PlanSlots];
  /* verilator lint_off UNUSEDSIGNAL */  // fraction lengths are for the host
  logic [PlanW-1:0] plan;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [top_pkg::BeatW-1:0] shown;
  logic                      bad_plan;
  function automatic logic [top_pkg::BeatW-1:0] words_of(input logic [PlanW-1:0] entry);
    words_of = {32'd0, {22{entry[45]}}, entry[45:36], 8'd0, entry[35:12], 20'd0, entry[11:0]};
  endfunction
  assign plan = plan_q[gemm_slot];
  assign shown = words_of(plan_q[plan_addr_i[6:2]]);
  assign plan_data_o = shown[{plan_addr_i[1:0], 5'd0} +: 32];
  assign record_plan_o = words_of(plan_q[record_slot_i]);
  assign bad_plan = planned && (!plan[0] || (!raw && plan[45:42] != '0));
  assign n_x_o = planned ? plan[3:1] : cmd[32*8 +: 3];
  assign n_w_o = planned ? plan[6:4] : cmd[32*8 + 3 +: 3];
  assign min_order_o = planned ? {1'b0, plan[11:10]} : cmd[32*8 + 6 +: 3];
  assign y_bits_o = (planned && !raw) ? {1'b0, 2'(plan[9:7] - 3'd1)} : cmd[32*8 + 16 +: 3];
  assign shift_o = (planned && !raw) ? plan[41:36] : cmd[32*8 + 25 +: 6];
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int s = 0; s < top_pkg::PlanSlots; s++) plan_q[s] <= '0;
    end else if (ord_rsp_valid_i && ord_rsp_code_i == 2'(laps_pkg::RspOk)) begin
      plan_q[ask_slot] <= {ord_rsp_plan_i, 1'b1};
    end
  end

  // ---- tiles of the cores ----------------
  logic [12:0] tiles;
  logic [3:0]  last_columns;
  assign tiles = 13'((17'(columns) + 17'd15) >> 4);
  assign last_columns = columns[3:0] - 4'd1;
  assign last_lanes_o = 6'(last_columns) + 6'd1;
  for (genvar c = 0; c < Cores; c++) begin : gen_core
    assign tiles_o[13*c +: 13] = 13'((14'(tiles) + 14'(Cores - 1 - c)) / 14'(Cores));
    assign has_last_o[c] = (tiles - 13'd1) % 13'(Cores) == 13'(c);
  end

  // ---- what the cores say ----------------
  logic [(Cores+1)*StatW-1:0] joined;  // of the first 0, 1, ... cores
  assign joined[0 +: StatW] = '0;
  for (genvar c = 0; c < Cores; c++) begin : gen_stat
    logic [StatW-1:0] so_far, both;
    assign so_far = joined[StatW*c +: StatW];
    stat_join u_join (
      .a_i   (so_far),
      .b_i   (core_stat_i[StatW*c +: StatW]),
      .both_o(both)
    );
    assign joined[StatW*(c+1) +: StatW] = both;
  end
  logic [Cores-1:0] left_q, left;
  logic             cores_end, passed_q;   // passed: the pass that this product feeds is over
  assign left = left_q & ~core_done_i;
  assign cores_end = state_q == Gemm && left == '0 && (!feed_o || passed_q || opt_done_i);

  // ---- what the pairs would refuse: the descriptor of partial sums, where there are some, then that of results ----------------
  logic [15:0] span, k_first;
  logic        chunked;
  logic [ioss_pkg::CodeW-1:0] ioss_code;
  logic [ran_pkg::CodeW-1:0]  part_code, last_code;
  logic [top_pkg::DetailW-1:0] gemm_code;
  assign span = 16'(Depth) * {12'd0, cmd[32*8 + 12 +: 4]};
  assign chunked = k > span;
  assign k_first = chunked ? span : k;
  ioss_desc_check #(
    .Rows (Rows),
    .Depth(Depth)
  ) u_ioss_check (
    .desc_x_slices_i     (n_x_o),
    .desc_w_slices_i     (n_w_o),
    .desc_min_order_i    (min_order_o),
    .desc_reduce_factor_i(cmd[32*8 + 12 +: 4]),
    .desc_k_len_i        (k_first),
    .desc_n_jobs_i       (jobs),
    .code_o              (ioss_code)
  );
  for (genvar r = 0; r < 2; r++) begin : gen_ran_check
    logic [ran_pkg::CodeW-1:0] code;
    // Icarus 11 joins the ports of all turns where the expression in a port depends on r: hence signals.
    logic [2:0] y_bits;
    logic [1:0] round;
    logic [5:0] shift;
    logic       y_unsigned, relu;
    assign y_bits = (r == 0) ? 3'(ran_pkg::YRaw64) : y_bits_o;
    assign round = (r == 0) ? 2'(ran_pkg::RoundNearest) : cmd[32*8 + 21 +: 2];
    assign shift = (r == 0) ? 6'd0 : shift_o;
    assign y_unsigned = (r == 0) ? 1'b0 : cmd[32*8 + 19];
    assign relu = (r == 0) ? 1'b0 : cmd[32*8 + 20];
    ran_desc_check #(
      .Rows (Rows),
      .Lanes(top_pkg::Lanes),
      .AccW (AccW)
    ) u_ran_check (
      .y_bits_i       (y_bits),
      .y_unsigned_i   (y_unsigned),
      .relu_i         (relu),
      .round_i        (round),
      .shift_i        (shift),
      .lanes_i        (6'(top_pkg::Lanes)),
      .reduce_factor_i(cmd[32*8 + 12 +: 4]),
      .n_jobs_i       (jobs),
      .x_slices_i     (n_x_o),
      .w_slices_i     (n_w_o),
      .x_unsigned_i   (cmd[32*8 + 9]),
      .w_unsigned_i   (cmd[32*8 + 10]),
      .compensate_i   (cmd[32*8 + 11]),
      .k_len_i        (k_first),
      .code_o         (code),
      /* verilator lint_off PINCONNECTEMPTY */
      .limit_o        ()
      /* verilator lint_on PINCONNECTEMPTY */
    );
  end
  assign part_code = chunked ? gen_ran_check[0].code : '0;
  assign last_code = gen_ran_check[1].code;
  assign gemm_code = (ioss_code != '0) ? {1'b0, ioss_code} : (part_code != '0) ? {1'b1, part_code} :
      (last_code != '0) ? {1'b1, last_code} : '0;

  // ---- windows ----------------
  logic [1:0]                         window, window_good;   // of vectors, of tiles
  logic [2*top_pkg::GeometryW-1:0]    lengths;
  logic                               bad_window;
  assign window = cmd[32*9 + 19 +: 2];
  for (genvar g = 0; g < 2; g++) begin : gen_geometry
    logic [2:0] slices;
    logic       good;
    logic [top_pkg::GeometryW-1:0] mine;
    assign slices = (g == 0) ? n_x_o : n_w_o;
    top_geometry u_geometry (
      .slices_i        (slices),
      .channels_i      (cmd[32*10 +: 9]),
      .columns_i       (cmd[32*10 + 9 +: 8]),
      .rows_i          (cmd[32*10 + 17 +: 8]),
      .kernel_rows_i   (cmd[32*11 +: 4]),
      .kernel_columns_i(cmd[32*11 + 4 +: 4]),
      .pad_rows_i      (cmd[32*11 + 8 +: 4]),
      .pad_columns_i   (cmd[32*11 + 12 +: 4]),
      .stride_i        (cmd[32*11 + 16 +: 4]),
      .good_o          (good),
      .lengths_o       (mine)
    );
    assign lengths[top_pkg::GeometryW*g +: top_pkg::GeometryW] = mine;
    assign window_good[g] = good;
  end
  assign x_lengths_o = lengths[0 +: top_pkg::GeometryW];
  assign w_lengths_o = lengths[top_pkg::GeometryW +: top_pkg::GeometryW];
  assign bad_window = (window & ~window_good) != '0 || (window[1] && Cores != 1);

  // ---- results that feed a pass ----------------
  logic [31:0] results;                // with padding lanes: 65535 * 4096 * 16 before anything is refused
  logic        bad_feed, ready;
  assign feed_o = cmd[32*9 + 22];
  assign results = {28'(jobs) * 28'(tiles), 4'd0};
  assign bad_feed = feed_o && (y_bits_o != 3'(ran_pkg::YRaw32) || cmd[32*9 + 21] || cmd[32*9 + 18] || Cores != 1 ||
      kept_drawn_i || results != 32'(kept_n_i));

  logic bad_op, bad_size;
  assign bad_op = cmd[7:4] != '0 ||
      (op != 4'(top_pkg::OpGemm) && op != 4'(top_pkg::OpOpt) && op != 4'(top_pkg::OpPlan) && !tells);
  assign bad_size = op == 4'(top_pkg::OpGemm) &&
      (k == '0 || jobs == '0 || columns == '0 || jobs > 16'(top_pkg::MaxJobs));
  assign ready = state_q == Idle && cmd_valid_i && !bad_op && !bad_size && op == 4'(top_pkg::OpGemm) &&
      !bad_plan && gemm_code == '0 && !bad_window && !bad_feed;
  assign feed_start_o = ready && feed_o;
  assign start_o = (ready && !feed_o) || (state_q == Arm && feed_ready_i);
  assign opt_keep_o = state_q == Idle && cmd_valid_i && !bad_op && op == 4'(top_pkg::OpOpt) && cmd[32*2 + 16];
  assign opt_start_o = state_q == Idle && cmd_valid_i && !bad_op && op == 4'(top_pkg::OpOpt) && !cmd[32*2 + 16];
  assign upd_valid_o = state_q == Update;
  assign ord_valid_o = state_q == Ask;
  assign gemm_o = state_q == Gemm;
  assign busy_o = state_q != Idle;
  assign cmd_done_o = state_q == Done;
  assign cmd_code_o = code_q;
  assign cmd_detail_o = detail_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q  <= Idle;
      code_q   <= '0;
      detail_q <= '0;
      left_q   <= '0;
      stat_o   <= '0;
      passed_q <= 1'b0;
    end else begin
      passed_q <= (passed_q || opt_done_i) && state_q != Idle;
      case (state_q)
        Idle: if (cmd_valid_i) begin
          detail_q <= '0;
          code_q   <= bad_op ? 4'(top_pkg::CmdOperation) : bad_size ? 4'(top_pkg::CmdSize) :
              (op == 4'(top_pkg::OpGemm) && bad_plan) ? 4'(top_pkg::CmdPlan) :
              (op == 4'(top_pkg::OpGemm) && gemm_code != '0) ? 4'(top_pkg::CmdGemm) :
              (op == 4'(top_pkg::OpGemm) && bad_window) ? 4'(top_pkg::CmdWindow) :
              (op == 4'(top_pkg::OpGemm) && bad_feed) ? 4'(top_pkg::CmdFeed) : 4'(top_pkg::CmdOk);
          if (!bad_op && !bad_size && op == 4'(top_pkg::OpGemm) && !bad_plan) detail_q <= gemm_code;
          left_q   <= '1;
          state_q  <= start_o ? Gemm : feed_start_o ? Arm : opt_start_o ? Opt :
              (!bad_op && op == 4'(top_pkg::OpPlan)) ? Ask : (!bad_op && tells) ? Update : Done;
          // A core without tiles is done in the cycle of its start.
          if (start_o) left_q <= ~core_done_i;
        end
        Arm: if (feed_ready_i) begin
          left_q  <= ~core_done_i;
          state_q <= Gemm;
        end else if (opt_done_i) begin
          code_q   <= 4'(top_pkg::CmdOptc);
          detail_q <= {1'b0, opt_code_i};
          state_q  <= Done;
        end
        Gemm: begin
          left_q <= left;
          if (cores_end) begin
            stat_o <= joined[StatW*Cores +: StatW];
            if (core_range_i != '0 || (feed_o && opt_range_i)) code_q <= 4'(top_pkg::CmdRange);
            state_q <= update ? Update : Done;
          end
        end
        Update: if (upd_ready_i) state_q <= Answer;
        Answer: if (upd_rsp_valid_i) begin
          if (upd_rsp_code_i != 2'(laps_pkg::RspOk) && code_q == 4'(top_pkg::CmdOk)) begin
            code_q   <= 4'(top_pkg::CmdUpdate);
            detail_q <= {3'd0, upd_rsp_code_i};
          end
          state_q <= Done;
        end
        Opt: if (opt_done_i) begin
          code_q   <= opt_refused_i ? 4'(top_pkg::CmdOptc) : opt_range_i ? 4'(top_pkg::CmdRange) : 4'(top_pkg::CmdOk);
          detail_q <= opt_refused_i ? {1'b0, opt_code_i} : '0;
          state_q  <= Done;
        end
        Ask: if (ord_ready_i) state_q <= Told;
        Told: if (ord_rsp_valid_i) begin
          if (ord_rsp_code_i != 2'(laps_pkg::RspOk)) begin
            code_q   <= 4'(top_pkg::CmdPlan);
            detail_q <= {3'd0, ord_rsp_code_i};
          end
          state_q <= Done;
        end
        default: state_q <= Idle;
      endcase
    end
  end
endmodule
