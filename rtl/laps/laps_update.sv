// LAPS' arithmetic of an update (docs/laps/README.md): what is read at A goes through three stages, and a new entry stands there at A + 3.
module laps_update
  import laps_pkg::entry_t, laps_pkg::band_t, laps_pkg::rules_t, laps_pkg::limits_t, laps_pkg::tolerance_t;
  import trainslice_pkg::stat_t;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        take_i,           // A
  input  logic [1:0]  phase_i,          // 1 .. 3: A + 1 .. A + 3
  input  logic        good_i,           // A + 1 of an update that is not refused
  input  stat_t       stat_i,
  input  entry_t      entry_i,
  input  band_t       band_i,
  input  rules_t      rules_i,
  input  limits_t     limits_i,
  input  tolerance_t  tolerance_i,
  input  logic        seed_valid_i,
  input  logic [31:0] seed_i,
  // at A + 3
  output entry_t      entry_o,
  output logic [laps_pkg::EventW-1:0]  events_o,
  output logic [laps_pkg::SignalW-1:0] mean_o,
  output logic [laps_pkg::TolW-1:0]    tolerance_o,
  output logic        over_o
);
  localparam int SignalW = laps_pkg::SignalW;
  localparam int LogW = laps_pkg::LogW;
  localparam int TolW = laps_pkg::TolW;

  // ---- A: what the update works on ----------------
  stat_t      stat_q;
  entry_t     entry_q;
  band_t      band_q;
  /* verilator lint_off UNUSEDSIGNAL */  // bits that are always 0
  rules_t     rules_q;
  limits_t    limits_q;
  tolerance_t tolerance_q;
  /* verilator lint_on UNUSEDSIGNAL */
  always_ff @(posedge clk_i) begin
    if (take_i) begin
      stat_q      <= stat_i;
      entry_q     <= entry_i;
      band_q      <= band_i;
      rules_q     <= rules_i;
      limits_q    <= limits_i;
      tolerance_q <= tolerance_i;
    end
  end

  // ---- A + 1: logarithms, tolerance ----------------
  logic [LogW-1:0] log_sum, log_count, log_sum_q, log_count_q;
  logic [TolW-1:0] tol_q;
  /* verilator lint_off UNUSEDSIGNAL */  // of a draw the upper 8 bits count; 8 bits of fraction are dropped
  logic [trainslice_pkg::DrawW-1:0] draw;
  logic [24:0] tol_random;
  /* verilator lint_on UNUSEDSIGNAL */
  logic        draw_take;
  assign draw_take = good_i && tolerance_q.random;
  laps_log2 #(.W(48)) u_log_sum (.a_i(stat_q.sum_abs), .log_o(log_sum));
  laps_log2 #(.W(32)) u_log_count (
    .a_i(rules_q.nonzero ? stat_q.values - stat_q.zeros : stat_q.values), .log_o(log_count)
  );
  logic [31:0] number_q, draw_word;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) number_q <= laps_pkg::ResetSeed;
    else if (seed_valid_i) number_q <= seed_i;
    else if (draw_take) number_q <= number_q + 32'd1;
  end
  draw_mix u_mix (
    .number_i(number_q),
    .word_o  (draw_word)
  );
  draw_lanes #(
    .Lanes(1)
  ) u_lanes (
    .word_i(draw_word),
    .draw_o(draw)
  );
  assign tol_random = {9'd0, tolerance_q.tolerance} * {16'd0, draw[trainslice_pkg::DrawW-1 -: 8], 1'b1};
  always_ff @(posedge clk_i) begin
    if (phase_i == 2'd1) begin
      log_sum_q   <= log_sum;
      log_count_q <= log_count;
      tol_q       <= tolerance_q.random ? tol_random[24:8] : {1'b0, tolerance_q.tolerance};
    end
  end

  // ---- A + 2: over, smoothed signal ----------------
  logic        over, over_q, any, sig_valid_q;
  logic [48:0] permitted;
  logic signed [SignalW-1:0] mean, mean_q;
  logic signed [SignalW:0]   signal, step, smoothed, smoothed_q;
  assign permitted = {17'd0, stat_q.values} * {32'd0, tol_q};
  assign over = {1'b0, stat_q.overflow, 16'd0} > permitted;
  assign any = stat_q.zeros != stat_q.values;
  assign mean = $signed({2'b00, log_sum_q}) - $signed({2'b00, log_count_q});
  assign signal = $signed({entry_q.signal[SignalW-1], entry_q.signal});
  assign step = $signed({mean[SignalW-1], mean}) - signal;
  // One bit wider than the signal until FL's move is in it.
  assign smoothed = !any ? signal :
      !entry_q.sig_valid ? $signed({mean[SignalW-1], mean}) :
      signal + (step >>> rules_q.smooth);
  always_ff @(posedge clk_i) begin
    if (phase_i == 2'd2) begin
      over_q      <= over;
      mean_q      <= any ? mean : '0;
      smoothed_q  <= smoothed;
      sig_valid_q <= any || entry_q.sig_valid;
    end
  end

  // ---- A + 3: FL, then n ----------------
  logic [7:0] fl, fl1, fl2, quiet, dwell;
  logic [2:0] n;
  entry_t     entry_d;
  logic [SignalW-1:0] signal1, signal2;
  logic       fl_limited, n_limited, n_up, n_down;
  logic signed [8:0]  fl_move;
  logic signed [18:0] moved;
  assign fl = entry_q.fl;
  laps_fl_rule u_fl_rule (
    .fl_i         (fl),
    .n_i          (entry_q.n),
    .is_unsigned_i(entry_q.is_unsigned),
    .pin_fl_i     (entry_q.pin_fl),
    .quiet_i      (entry_q.quiet),
    .over_i       (over_q),
    .max_bit_i    (stat_q.max_bit),
    .hold_i       (rules_q.hold),
    .fl_min_i     (limits_q.fl_min),
    .fl_max_i     (limits_q.fl_max),
    .fl_o         (fl1),
    .quiet_o      (quiet),
    .limited_o    (fl_limited)
  );
  assign fl_move = $signed({fl1[7], fl1}) - $signed({fl[7], fl});
  assign moved = $signed({{2{smoothed_q[SignalW]}}, smoothed_q}) + $signed({{2{fl_move[8]}}, fl_move, 8'd0});
  laps_limit #(
    .W(19)
  ) u_limit (
    .x_i(sig_valid_q ? moved : {{2{smoothed_q[SignalW]}}, smoothed_q}),
    .y_o(signal1)
  );
  laps_n_rule u_n_rule (
    .fl_i       (fl1),
    .n_i        (entry_q.n),
    .pinned_i   (entry_q.pin_n || entry_q.pin_fl),
    .sig_valid_i(sig_valid_q),
    .signal_i   (signal1),
    .dwell_i    (entry_q.dwell),
    .dwell_min_i(rules_q.dwell_min),
    .low_i      (band_q.low),
    .high_i     (band_q.high),
    .n_min_i    (limits_q.bounds.n_min),
    .n_max_i    (limits_q.bounds.n_max),
    .fl_min_i   (limits_q.fl_min),
    .fl_max_i   (limits_q.fl_max),
    .fl_o       (fl2),
    .n_o        (n),
    .signal_o   (signal2),
    .dwell_o    (dwell),
    .up_o       (n_up),
    .down_o     (n_down),
    .limited_o  (n_limited)
  );
  always_comb begin
    entry_d = entry_q;
    entry_d.signal = signal2;
    entry_d.dwell = dwell;
    entry_d.quiet = quiet;
    entry_d.sig_valid = sig_valid_q;
    entry_d.n = n;
    entry_d.fl = fl2;
  end
  assign entry_o = entry_d;
  assign mean_o = mean_q;
  assign tolerance_o = tol_q;
  assign over_o = over_q;
  assign events_o = {fl_limited || n_limited, n_down, n_up, fl_move > 9'sd0, fl_move < 9'sd0};
endmodule
