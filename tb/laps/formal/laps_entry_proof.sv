// What the rules of one entry promise, whatever the statistics (docs/laps/README.md, Update): proved with `make prove BLOCK=laps`.
//
// The entry starts as a host may have written it; settings are legal and stay; every clock brings an update whose statistics are free
// (max_bit, over) as is the smoothed signal. Rules and order are those of laps_core: FL, then n.
module laps_entry_proof (
  input logic clk_i
);
  // ---- free: settings and first entry for the whole run, statistics in every update ----------------
  (* anyconst *) logic [7:0]  hold, dwell_min, fl_min, fl_max, first_fl, first_quiet, first_dwell;
  (* anyconst *) logic [15:0] low, high;
  (* anyconst *) logic [2:0]  n_min, n_max, first_n;
  (* anyconst *) logic        is_unsigned, pin_n, pin_fl;
  (* anyseq *)   logic [5:0]  max_bit;
  (* anyseq *)   logic        over, sig_valid;
  (* anyseq *)   logic [15:0] signal;

  logic [7:0] fl_q, quiet_q, dwell_q, fl1, fl2, quiet, dwell;
  logic [2:0] n_q, n;
  logic       up, down;
  /* verilator lint_off UNUSEDSIGNAL */
  logic       fl_limited, n_limited;
  logic [15:0] signal2;
  /* verilator lint_on UNUSEDSIGNAL */

  laps_fl_rule u_fl_rule (
    .fl_i(fl_q), .n_i(n_q), .is_unsigned_i(is_unsigned), .pin_fl_i(pin_fl), .quiet_i(quiet_q), .over_i(over),
    .max_bit_i(max_bit), .hold_i(hold), .fl_min_i(fl_min), .fl_max_i(fl_max), .fl_o(fl1), .quiet_o(quiet),
    .limited_o(fl_limited)
  );
  laps_n_rule u_n_rule (
    .fl_i(fl1), .n_i(n_q), .pinned_i(pin_n || pin_fl), .sig_valid_i(sig_valid), .signal_i(signal), .dwell_i(dwell_q),
    .dwell_min_i(dwell_min), .low_i(low), .high_i(high), .n_min_i(n_min), .n_max_i(n_max), .fl_min_i(fl_min),
    .fl_max_i(fl_max), .fl_o(fl2), .n_o(n), .signal_o(signal2), .dwell_o(dwell), .up_o(up), .down_o(down),
    .limited_o(n_limited)
  );

  // ---- history ----------------
  logic       started, changed_q, settled_q;
  logic [8:0] since_q;     // updates since n changed, 0 after the change, up to 256
  logic [8:0] calm_q;      // calm updates in a row since one that was not, or since a rise was due
  logic       calm, rose, fell;
  logic signed [8:0] fl_before, fl_ruled, fl_after, fl_low, fl_high;
  logic signed [8:0] needed;
  assign fl_before = $signed({fl_q[7], fl_q});
  assign fl_ruled = $signed({fl1[7], fl1});
  assign fl_after = $signed({fl2[7], fl2});
  assign fl_low = $signed({fl_min[7], fl_min});
  assign fl_high = $signed({fl_max[7], fl_max});
  assign calm = !over && {26'd0, max_bit} < 4 * {29'd0, n_q} - (is_unsigned ? 0 : 1);
  assign rose = fl_ruled > fl_before;
  assign fell = fl_ruled < fl_before;
  assign needed = $signed({3'd0, max_bit}) - 9'sd4 * $signed({6'd0, n_q}) + (is_unsigned ? 9'sd0 : 9'sd1);

  initial begin
    started = 1'b0;
    changed_q = 1'b0;
    settled_q = 1'b0;
    since_q = '0;
    calm_q = '0;
  end
  always @(posedge clk_i) begin
    started <= 1'b1;
    if (!started) begin
      fl_q <= first_fl;
      quiet_q <= first_quiet;
      dwell_q <= first_dwell;
      n_q <= first_n;
    end else begin
      fl_q <= fl2;
      quiet_q <= quiet;
      dwell_q <= dwell;
      n_q <= n;
      changed_q <= changed_q || up || down;
      since_q <= (up || down) ? '0 : (since_q >= 9'd256) ? since_q : since_q + 9'd1;
      settled_q <= settled_q || !calm;
      calm_q <= (!calm || calm_q + 9'd1 >= {1'b0, hold}) ? '0 : calm_q + 9'd1;
    end
  end

  // ---- what is legal ----------------
  always_comb begin
    assume (hold != '0);
    assume (dwell_min != '0);
    assume (n_min >= 3'd1);
    assume (n_min <= n_max);
    assume (n_max <= 3'd4);
    assume (fl_low <= fl_high);
    assume (fl_min[7] == fl_min[6]);
    assume (fl_max[7] == fl_max[6]);
    assume (first_fl[7] == first_fl[6]);
    assume (first_n >= 3'd1);
    assume (first_n <= 3'd4);
    assume ($signed({high[15], high}) - $signed({low[15], low}) > 17'sd1024);
    assume (max_bit <= 6'd48);
  end

  // ---- what is promised ----------------
  always @(posedge clk_i) begin
    not_changed_yet: assert (started || !changed_q);
    not_settled_yet: assert (started || !settled_q);
  end
  always @(posedge clk_i) if (started) begin
    // Slices: legal, one at a time, and never sooner than the dwell.
    slices_legal: assert (n_q >= 3'd1 && n_q <= 3'd4);
    fl_legal: assert (fl_q[7] == fl_q[6]);
    one_slice: assert (!(up && down) && (n == n_q || (up && n == n_q + 3'd1) || (down && n == n_q - 3'd1)));
    since_saturates: assert (since_q <= 9'd256);
    dwell_counts: assert (!changed_q || {1'b0, dwell_q} == ((since_q > 9'd255) ? 9'd255 : since_q));
    no_change_within_dwell: assert (!(changed_q && (up || down)) || since_q + 9'd1 >= {1'b0, dwell_min});
    bounds_kept: assert (!(n_q >= n_min && n_q <= n_max) || (n >= n_min && n <= n_max));
    // A change by the band does not call for the opposite one.
    no_echo_up: assert (!(up && n_q >= n_min) || $signed({signal2[15], signal2}) <= $signed({high[15], high}));
    no_echo_down: assert (!(down && n_q <= n_max) || $signed({signal2[15], signal2}) >= $signed({low[15], low}));
    full_scale_kept: assert (fl_after - fl_ruled == (up ? 9'sd4 : down ? -9'sd4 : 9'sd0));
    // FL: within its limits, down at once and far enough, up only after `hold` calm updates in a row.
    within_limits: assert (pin_fl || (fl_after >= fl_low && fl_after <= fl_high));
    down_at_once: assert (pin_fl || !over || fl_ruled == fl_low || fl_before < fl_low ||
        (fl_ruled <= fl_before - 9'sd1 && (fl_ruled <= fl_before - needed || fl_ruled <= fl_before - 9'sd15)));
    calm_counts: assert (!settled_q || pin_fl || calm_q == {1'b0, quiet_q});
    calm_below_hold: assert (calm_q < {1'b0, hold});
    up_slowly: assert (!(settled_q && rose && fl_before >= fl_low) || calm_q + 9'd1 >= {1'b0, hold});
    never_down_unless_over: assert (!fell || over || fl_before > fl_high);
    pinned: assert (!pin_fl || (fl_after == fl_before && n == n_q));
    pinned_n: assert (!pin_n || n == n_q);
  end

  // Not vacuous: everything can happen.
  always @(posedge clk_i) if (started) begin
    can_go_up: cover (changed_q && up);
    can_go_down: cover (changed_q && down);
    can_rise: cover (settled_q && rose && hold > 8'd1);
    can_fall: cover (settled_q && fell && n_q == 3'd2);
  end
endmodule
