// Optimiser pass: state and gradients from the buffers through the OPTC and back (docs/top/reference.md, OPT). Four parameters a cycle.
// Momentum has no second moment: Sv is neither read nor written, and its ports are free.
// A pass that a product feeds (docs/top/feeding.md) is kept until then; its gradients come from the core, in any order.
module top_opt
  import top_pkg::opt_t, top_pkg::fed_t, top_pkg::kept_t, top_pkg::place_t, top_pkg::write_t;
  import optc_pkg::config_t, optc_pkg::record_t;
#(
  parameter int YWords = 16384,
  parameter int SWords = 4096
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                      start_i,       // pulse; the command is stable until `done_o`
  /* verilator lint_off UNUSEDSIGNAL */  // fields of other commands
  input  opt_t                      cmd_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic                      keep_i,        // pulse: the command is kept for a product
  input  logic                      feed_start_i,  // pulse: what is kept begins
  output logic                      feed_ready_o,  // pulse: it was accepted
  output logic [optc_pkg::CountW-1:0] kept_n_o,
  output logic                      kept_drawn_o,  // it rounds stochastically
  output logic                      done_o,        // pulse
  output logic                      refused_o,
  output logic [3:0]                code_o,
  output logic                      range_o,
  output logic                      busy_o,
  input  logic [31:0]               draw_i,        // number of the first beat's draws
  // gradients of a pass that is fed
  input  logic                      f_valid_i,
  output logic                      f_ready_o,
  input  fed_t                      f_i,
  // read ports: Sw, Sm, Sv, Y; all granted while this works
  output logic [3:0]                req_o,
  output logic [4*top_pkg::AddrW-1:0] addr_o,
  input  logic [4*top_pkg::BeatW-1:0] data_i,
  // write ports: state, and a part of a word of Y
  output logic [2:0]                s_we_o,        // Sw, Sm, Sv
  output logic [top_pkg::AddrW-1:0] s_addr_o,
  output logic [3*top_pkg::BeatW-1:0] s_data_o,
  output write_t                    y_o,
  output logic [255:0]              stat_o         // OPT_STAT of the last pass
);
  localparam int WordW = top_pkg::WordW;
  localparam int BeatsW = top_pkg::BeatsW;
  localparam logic [2:0] Idle = 3'd0, Offer = 3'd1, Answer = 3'd2, Run = 3'd3, Done = 3'd4;
  logic [2:0]  state_q;
  logic        refused_q, range_q;
  logic [3:0]  code_q;
  config_t cfg;
  logic momentum;
  logic [1:0] copy_format;
  logic [BeatsW-1:0] beats;
  localparam int SideW = $bits(place_t) + top_pkg::BeatW;
  kept_t now, kept_q, work;
  logic  fed_q, kept;                    // this pass is fed; it is what is kept
  assign now = {cmd_i.pass, cmd_i.c_addr, cmd_i.s_addr};
  assign kept = (state_q == Idle) ? feed_start_i : fed_q;
  assign work = kept ? kept_q : now;
  assign cfg = {draw_i, work.pass};
  assign kept_n_o = kept_q.pass.n;
  assign kept_drawn_o = kept_q.pass.copy_round == ran_pkg::RoundStochastic;
  assign momentum = !work.pass.adam;
  assign copy_format = work.pass.copy_format[1:0];
  top_beats u_beats (
    .n_i    (work.pass.n),
    .beats_o(beats)
  );

  logic cfg_ready, rsp_valid, in_valid, in_ready, out_valid, out_last, stat_valid, optc_busy;
  logic [3:0]  rsp_code, valid, range, unused_side;
  logic [SideW-1:0] side;                // of a fed pass' word of Sw: its place, its gradients
  place_t f_place, place, oldest, back;
  logic [511:0] fetched;
  logic [127:0] out_w, out_m, out_v;
  logic [63:0]  out_y;
  record_t      record;

  for (genvar f = 0; f < 4; f++) begin : gen_fetch
    logic [BeatsW-1:0] left_q;           // words not asked for yet
    logic [WordW-1:0]  word_q, word_next;
    logic              ready, more, fed, ask;
    logic [WordW-1:0]  word;
    assign more = state_q == Run && left_q != '0;
    assign fed = state_q == Run && fed_q && f_valid_i && f != 3 && !(f == 2 && momentum);
    assign ask = more || fed;
    assign word = fed_q ? f_place.state : word_q;
    localparam int MineW = (f == 0) ? SideW : 1;
    logic [MineW-1:0] side_in, side_out;
    if (f == 0) begin : gen_side
      assign side_in = {f_place, f_i.data};
      assign side = side_out;
      assign unused_side[f] = 1'b0;
    end else begin : gen_none
      assign side_in = 1'b0;
      assign unused_side[f] = side_out;
    end
    top_word u_next (
      .word_i(word_q),
      .by_i  (1'b1),
      .word_o(word_next)
    );
    top_fetch #(
      .Words((f == 3) ? YWords : SWords),
      .SideW(MineW)
    ) u_fetch (
      .clk_i,
      .rst_ni,
      .clear_i    (1'b0),
      .req_valid_i(ask),
      .req_ready_o(ready),
      .req_addr_i (word),
      .req_side_i (side_in),
      .mem_req_o  (req_o[f]),
      .mem_addr_o (addr_o[top_pkg::AddrW*f +: top_pkg::AddrW]),
      .mem_gnt_i  (1'b1),
      .mem_data_i (data_i[128*f +: 128]),
      .out_valid_o(valid[f]),
      .out_ready_i(in_ready && in_valid),
      .out_data_o (fetched[128*f +: 128]),
      .out_side_o (side_out),
      .out_range_o(range[f])
    );
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        left_q <= '0;
        word_q <= '0;
      end else if (start_i) begin
        left_q <= (f == 2 && momentum) ? '0 : beats;
        word_q <= {1'b0, (f == 3) ? cmd_i.g_addr : work.s_addr};
      end else if (more && ready) begin
        left_q <= left_q - BeatsW'(1);
        word_q <= word_next;
      end
    end
  end
  assign in_valid = (valid | {fed_q, momentum, 2'b00}) == '1;
  // All fetches of a pass move together: as much is asked for and taken of each.
  assign f_ready_o = state_q == Run && fed_q && gen_fetch[0].ready;
  assign place = side[top_pkg::BeatW +: $bits(place_t)];
  top_feed u_feed (
    .clk_i,
    .rst_ni,
    .s_addr_i(work.s_addr),
    .c_addr_i(work.c_addr),
    .format_i(copy_format),
    .number_i(f_i.number),
    .beat_i  (f_i.beat),
    .place_o (f_place),
    .push_i  (fed_q && in_valid && in_ready),
    .place_i (place),
    .pop_i   (fed_q && out_valid),
    .oldest_o(oldest)
  );

  optc_core #(
    .Lanes(4)
  ) u_optc (
    .clk_i,
    .rst_ni,
    .cfg_valid_i       (state_q == Offer),
    .cfg_ready_o       (cfg_ready),
    .cfg_i             (cfg),
    .rsp_valid_o       (rsp_valid),
    .rsp_code_o        (rsp_code),
    .in_valid_i        (in_valid),
    .in_ready_o        (in_ready),
    .in_w_i            (fetched[0 +: 128]),
    .in_m_i            (fetched[128 +: 128]),
    .in_v_i            (momentum ? '0 : fetched[256 +: 128]),
    .in_g_i            (fed_q ? side[0 +: 128] : fetched[384 +: 128]),
    .out_valid_o       (out_valid),
    .out_ready_i       (1'b1),
    .out_last_o        (out_last),
    .out_w_o           (out_w),
    .out_m_o           (out_m),
    .out_v_o           (out_v),
    .out_y_o           (out_y),
    .stat_valid_o      (stat_valid),
    .stat_ready_i      (1'b1),
    .stat_values_o     (record.values),
    .stat_counts_o     ({record.w, record.m, record.v, record.copy, record.clipped, record.eps}),
    .stat_bits_o       ({record.bits_v, record.bits_m, record.bits_w}),
    /* verilator lint_off PINCONNECTEMPTY */  // observation
    .obs_moment_valid_o(),
    .obs_moment_o      (),
    .obs_denom_valid_o (),
    .obs_denom_o       (),
    .obs_update_valid_o(),
    .obs_update_o      (),
    /* verilator lint_on PINCONNECTEMPTY */
    .busy_o            (optc_busy)
  );

  // ---- back ----------------
  logic [WordW-1:0] s_word_q, c_word_q, s_word_next, c_word_next;
  logic [2:0]       c_part_q;            // of the word of copies: what comes next
  logic             c_full, s_outside, c_outside;
  top_word u_s_next (
    .word_i(s_word_q),
    .by_i  (1'b1),
    .word_o(s_word_next)
  );
  top_word u_c_next (
    .word_i(c_word_q),
    .by_i  (c_full),
    .word_o(c_word_next)
  );
  assign back = fed_q ? oldest : {c_part_q, c_word_q, s_word_q};
  // Four copies of 4, 8 or 16 bits.
  assign c_full = c_part_q == ((copy_format == 2'd0) ? 3'd7 : (copy_format == 2'd1) ? 3'd3 : 3'd1);
  assign s_outside = back.state >= WordW'(SWords);
  assign c_outside = back.copy >= WordW'(YWords);
  assign s_we_o = (out_valid && !s_outside) ? {!momentum, 2'b11} : '0;
  assign s_addr_o = back.state[top_pkg::AddrW-1:0];
  assign s_data_o = {out_v, out_m, out_w};
  assign y_o.we = (!out_valid || c_outside) ? '0 : (copy_format == 2'd0) ? 8'h01 << back.part :
      (copy_format == 2'd1) ? 8'h03 << {back.part[1:0], 1'b0} : back.part[0] ? 8'hf0 : 8'h0f;
  assign y_o.addr = back.copy[top_pkg::AddrW-1:0];
  assign y_o.data = (copy_format == 2'd0) ? {8{out_y[51:48], out_y[35:32], out_y[19:16], out_y[3:0]}} :
      (copy_format == 2'd1) ? {4{out_y[55:48], out_y[39:32], out_y[23:16], out_y[7:0]}} : {2{out_y}};

  assign busy_o = state_q != Idle;
  assign done_o = state_q == Done;
  assign feed_ready_o = state_q == Answer && rsp_valid && rsp_code == '0 && fed_q;
  assign refused_o = refused_q;
  assign code_o = code_q;
  assign range_o = range_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= Idle;
      refused_q <= 1'b0;
      code_q    <= '0;
      range_q   <= 1'b0;
      fed_q     <= 1'b0;
      kept_q    <= '0;
      s_word_q  <= '0;
      c_word_q  <= '0;
      c_part_q  <= '0;
      stat_o    <= '0;
    end else begin
      if (out_valid) begin
        s_word_q  <= s_word_next;
        c_word_q  <= c_word_next;
        c_part_q  <= c_full ? '0 : c_part_q + 3'd1;
      end
      if (out_valid && (s_outside || c_outside)) range_q <= 1'b1;
      if (in_valid && in_ready && (range & {!fed_q, !momentum, 2'b11}) != '0) range_q <= 1'b1;
      case (state_q)
        Idle: if (keep_i) begin
          kept_q <= now;
        end else if (start_i || feed_start_i) begin
          fed_q     <= feed_start_i;
          refused_q <= 1'b0;
          range_q   <= 1'b0;
          s_word_q  <= {1'b0, work.s_addr};
          c_word_q  <= {1'b0, work.c_addr};
          c_part_q  <= '0;
          state_q   <= Offer;
        end
        Offer: if (cfg_ready) state_q <= Answer;
        Answer: if (rsp_valid) begin
          code_q    <= rsp_code;
          refused_q <= rsp_code != '0;
          state_q   <= (rsp_code != '0) ? Done : Run;
        end
        Run: if (stat_valid) begin
          stat_o  <= top_pkg::opt_stat_words(record);
          state_q <= Done;
        end
        default: state_q <= Idle;
      endcase
    end
  end

  logic unused;
  assign unused = ^{unused_side, out_last, optc_busy};
endmodule
