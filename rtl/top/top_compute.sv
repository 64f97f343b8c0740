// Compute engine: GEMM on the cores, OPT, PLAN and UPDATE (docs/top/README.md, Commands). A command begins at its first cycle with `cmd_valid_i`.
module top_compute
  import top_pkg::gemm_t, top_pkg::opt_t, top_pkg::ask_t, top_pkg::tell_t, top_pkg::upd_t;
  import top_pkg::slot_t, top_pkg::lengths_t, laps_pkg::plan_t, trainslice_pkg::stat_t;
  import trainslice_pkg::operands_t, ran_pkg::way_t;
#(
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
  // cores
  output logic                        start_o,         // pulse
  output gemm_t                       gemm_o,          // with the precisions of its plan
  input  logic [Cores-1:0]            core_done_i,     // pulse each
  input  logic [Cores-1:0]            core_range_i,
  input  logic [Cores*$bits(stat_t)-1:0] core_stat_i,
  output logic [Cores*13-1:0]         tiles_o,
  output logic [Cores-1:0]            has_last_o,
  output logic [5:0]                  last_lanes_o,
  output lengths_t                    x_lengths_o,     // of windows
  output lengths_t                    w_lengths_o,
  output stat_t                       stat_o,          // of the last GEMM
  // LAPS
  output logic                        upd_valid_o,
  input  logic                        upd_ready_i,
  output upd_t                        upd_o,
  input  logic                        upd_rsp_valid_i, // of this update
  input  logic [1:0]                  upd_rsp_code_i,
  output logic                        ord_valid_o,
  input  logic                        ord_ready_i,
  output ask_t                        ord_o,
  input  logic                        ord_rsp_valid_i,
  input  logic [1:0]                  ord_rsp_code_i,
  input  plan_t                       ord_rsp_plan_i,
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
  input  logic [optc_pkg::CountW-1:0] kept_n_i,
  input  logic                        kept_drawn_i
);
  localparam logic [3:0] Idle = 4'd0, Gemm = 4'd1, Update = 4'd2, Answer = 4'd3, Opt = 4'd4, Ask = 4'd5, Told = 4'd6,
      Done = 4'd7, Arm = 4'd8;
  localparam int StatW = $bits(stat_t);

  // ---- fields ----------------
  logic [3:0]  state_q;
  logic [top_pkg::CodeW-1:0]   code_q;
  logic [top_pkg::DetailW-1:0] detail_q;
  /* verilator lint_off UNUSEDSIGNAL */  // fields of the cores and of other engines
  gemm_t       cmd;
  opt_t        opt;
  tell_t       tell;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [3:0]  op;
  logic        raw, tells;
  assign cmd = cmd_i;
  assign opt = cmd_i;
  assign tell = cmd_i;
  assign ord_o = cmd_i;
  assign op = cmd.head.op;
  assign tells = op == top_pkg::OpUpdate;
  assign upd_o = tells ? top_pkg::upd_of(tell.upd) : {cmd.tensor, stat_o};
  assign raw = cmd.y_bits == ran_pkg::YRaw32 || cmd.y_bits == ran_pkg::YRaw64;

  // ---- the plan of a GEMM ----------------
  /* verilator lint_off UNUSEDSIGNAL */  // fraction lengths are for the host
  slot_t entry;
  /* verilator lint_on UNUSEDSIGNAL */
  logic   bad_plan;
  top_plans u_plans (
    .clk_i, .rst_ni, .write_i(ord_rsp_valid_i && ord_rsp_code_i == laps_pkg::RspOk), .write_slot_i(ord_o.slot),
    .write_plan_i(ord_rsp_plan_i), .slot_i(cmd.slot), .entry_o(entry), .word_i(plan_addr_i), .word_o(plan_data_o),
    .record_slot_i, .record_o(record_plan_o)
  );
  assign bad_plan = cmd.planned && (!entry.valid || (!raw && entry.plan.shift[9:6] != '0));
  always_comb begin
    gemm_o = cmd;
    if (cmd.planned) begin
      gemm_o.n_x = entry.plan.n_x;
      gemm_o.n_w = entry.plan.n_w;
      gemm_o.min_order = {1'b0, entry.plan.order};
    end
    if (cmd.planned && !raw) begin
      gemm_o.y_bits = {1'b0, 2'(entry.plan.n_y - 3'd1)};
      gemm_o.shift = entry.plan.shift[5:0];
    end
  end

  // ---- tiles of the cores ----------------
  logic [12:0] tiles;
  top_tiles #(
    .Cores(Cores)
  ) u_tiles (
    .columns_i(cmd.columns), .tiles_o(tiles), .core_tiles_o(tiles_o), .has_last_o, .last_lanes_o
  );

  // ---- what the cores say ----------------
  logic [(Cores+1)*StatW-1:0] joined;  // of the first 0, 1, ... cores
  assign joined[0 +: StatW] = '0;
  for (genvar c = 0; c < Cores; c++) begin : gen_stat
    stat_t so_far, both;
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
  assign cores_end = state_q == Gemm && left == '0 && (!cmd.feed || passed_q || opt_done_i);

  // ---- what the pairs would refuse: the descriptor of partial sums, where there are some, then that of results ----------------
  logic [15:0] span, k_first;
  operands_t   operands;
  logic        chunked;
  logic [ioss_pkg::CodeW-1:0] ioss_code;
  logic [ran_pkg::CodeW-1:0]  part_code, last_code;
  logic [top_pkg::DetailW-1:0] gemm_code;
  assign span = 16'(Depth) * {12'd0, cmd.reduce};
  assign chunked = cmd.k > span;
  assign k_first = chunked ? span : cmd.k;
  assign operands = {gemm_o.n_x, gemm_o.n_w, cmd.x_unsigned, cmd.w_unsigned, gemm_o.min_order, cmd.compensate,
                     cmd.reduce, k_first, cmd.jobs};
  ioss_desc_check #(
    .Rows (Rows),
    .Depth(Depth)
  ) u_ioss_check (
    .desc_i(operands),
    .code_o(ioss_code)
  );
  for (genvar r = 0; r < 2; r++) begin : gen_ran_check
    logic [ran_pkg::CodeW-1:0] code;
    // Icarus 11 joins the ports of all turns where the expression in a port depends on r: hence a signal.
    way_t way;
    assign way = (r == 0) ? {1'b0, 6'(top_pkg::Lanes), 14'd0, ran_pkg::YRaw64} :
        {1'b0, 6'(top_pkg::Lanes), 2'd0, gemm_o.shift, 2'd0, cmd.round, cmd.relu, cmd.y_unsigned, gemm_o.y_bits};
    ran_desc_check #(
      .Rows (Rows),
      .Lanes(top_pkg::Lanes),
      .AccW (AccW)
    ) u_ran_check (
      .way_i     (way),
      .desc_i    (operands),
      .code_o    (code),
      /* verilator lint_off PINCONNECTEMPTY */
      .limit_o   ()
      /* verilator lint_on PINCONNECTEMPTY */
    );
  end
  assign part_code = chunked ? gen_ran_check[0].code : '0;
  assign last_code = gen_ran_check[1].code;
  assign gemm_code = (ioss_code != '0) ? {1'b0, ioss_code} : (part_code != '0) ? {1'b1, part_code} :
      (last_code != '0) ? {1'b1, last_code} : '0;

  // ---- windows ----------------
  logic bad_window, x_good, w_good;    // of vectors, of tiles
  top_geometry u_x_geometry (
    .slices_i(gemm_o.n_x), .window_i(cmd.window), .good_o(x_good), .lengths_o(x_lengths_o)
  );
  top_geometry u_w_geometry (
    .slices_i(gemm_o.n_w), .window_i(cmd.window), .good_o(w_good), .lengths_o(w_lengths_o)
  );
  assign bad_window = (cmd.x_windows && !x_good) || (cmd.w_windows && (!w_good || Cores != 1));

  // ---- results that feed a pass ----------------
  logic [31:0] results;                // with padding lanes: 65535 * 4096 * 16 before anything is refused
  logic        bad_feed, ready;
  assign results = {28'(cmd.jobs) * 28'(tiles), 4'd0};
  assign bad_feed = cmd.feed && (gemm_o.y_bits != ran_pkg::YRaw32 || cmd.narrow || cmd.keep || Cores != 1 ||
      kept_drawn_i || results != 32'(kept_n_i));

  logic bad_op, bad_size;
  assign bad_op = {cmd.head.records, cmd.head.target} != '0 ||
      (op != top_pkg::OpGemm && op != top_pkg::OpOpt && op != top_pkg::OpPlan && !tells);
  assign bad_size = op == top_pkg::OpGemm &&
      (cmd.k == '0 || cmd.jobs == '0 || cmd.columns == '0 || cmd.jobs > 16'(top_pkg::MaxJobs));
  assign ready = state_q == Idle && cmd_valid_i && !bad_op && !bad_size && op == top_pkg::OpGemm &&
      !bad_plan && gemm_code == '0 && !bad_window && !bad_feed;
  assign feed_start_o = ready && cmd.feed;
  assign start_o = (ready && !cmd.feed) || (state_q == Arm && feed_ready_i);
  assign opt_keep_o = state_q == Idle && cmd_valid_i && !bad_op && op == top_pkg::OpOpt && opt.keep;
  assign opt_start_o = state_q == Idle && cmd_valid_i && !bad_op && op == top_pkg::OpOpt && !opt.keep;
  assign upd_valid_o = state_q == Update;
  assign ord_valid_o = state_q == Ask;
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
          code_q   <= bad_op ? top_pkg::CmdOperation : bad_size ? top_pkg::CmdSize :
              (op == top_pkg::OpGemm && bad_plan) ? top_pkg::CmdPlan :
              (op == top_pkg::OpGemm && gemm_code != '0) ? top_pkg::CmdGemm :
              (op == top_pkg::OpGemm && bad_window) ? top_pkg::CmdWindow :
              (op == top_pkg::OpGemm && bad_feed) ? top_pkg::CmdFeed : top_pkg::CmdOk;
          if (!bad_op && !bad_size && op == top_pkg::OpGemm && !bad_plan) detail_q <= gemm_code;
          left_q   <= '1;
          state_q  <= start_o ? Gemm : feed_start_o ? Arm : opt_start_o ? Opt :
              (!bad_op && op == top_pkg::OpPlan) ? Ask : (!bad_op && tells) ? Update : Done;
          // A core without tiles is done in the cycle of its start.
          if (start_o) left_q <= ~core_done_i;
        end
        Arm: if (feed_ready_i) begin
          left_q  <= ~core_done_i;
          state_q <= Gemm;
        end else if (opt_done_i) begin
          code_q   <= top_pkg::CmdOptc;
          detail_q <= {1'b0, opt_code_i};
          state_q  <= Done;
        end
        Gemm: begin
          left_q <= left;
          if (cores_end) begin
            stat_o <= joined[StatW*Cores +: StatW];
            if (core_range_i != '0 || (cmd.feed && opt_range_i)) code_q <= top_pkg::CmdRange;
            state_q <= cmd.update ? Update : Done;
          end
        end
        Update: if (upd_ready_i) state_q <= Answer;
        Answer: if (upd_rsp_valid_i) begin
          if (upd_rsp_code_i != laps_pkg::RspOk && code_q == top_pkg::CmdOk) begin
            code_q   <= top_pkg::CmdUpdate;
            detail_q <= {3'd0, upd_rsp_code_i};
          end
          state_q <= Done;
        end
        Opt: if (opt_done_i) begin
          code_q   <= opt_refused_i ? top_pkg::CmdOptc : opt_range_i ? top_pkg::CmdRange : top_pkg::CmdOk;
          detail_q <= opt_refused_i ? {1'b0, opt_code_i} : '0;
          state_q  <= Done;
        end
        Ask: if (ord_ready_i) state_q <= Told;
        Told: if (ord_rsp_valid_i) begin
          if (ord_rsp_code_i != laps_pkg::RspOk) begin
            code_q   <= top_pkg::CmdPlan;
            detail_q <= {3'd0, ord_rsp_code_i};
          end
          state_q <= Done;
        end
        default: state_q <= Idle;
      endcase
    end
  end
endmodule
