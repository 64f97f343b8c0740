// Slices of the next tensor: one more or less when the signal leaves its band or n its bounds, and the dwell has passed
// (docs/laps/README.md, Update, step 4). FL and signal move with n. Combinational.
module laps_n_rule (
  input  logic [7:0]  fl_i,        // signed, after the FL rule
  input  logic [2:0]  n_i,
  input  logic        pinned_i,
  input  logic        sig_valid_i,
  input  logic [laps_pkg::SignalW-1:0] signal_i,   // signed, after the FL rule
  input  logic [7:0]  dwell_i,
  input  logic [7:0]  dwell_min_i,
  input  logic [laps_pkg::SignalW-1:0] low_i,      // signed
  input  logic [laps_pkg::SignalW-1:0] high_i,     // signed
  input  logic [2:0]  n_min_i,
  input  logic [2:0]  n_max_i,
  input  logic [7:0]  fl_min_i,    // signed
  input  logic [7:0]  fl_max_i,    // signed
  output logic [7:0]  fl_o,
  output logic [2:0]  n_o,
  output logic [laps_pkg::SignalW-1:0] signal_o,
  output logic [7:0]  dwell_o,
  output logic        up_o,
  output logic        down_o,
  output logic        limited_o    // FL's limits kept a change that was due from happening
);
  logic want_up, want_down, passed, fits_up, fits_down;
  assign want_up = !pinned_i && (n_i < n_min_i ||
      (n_i <= n_max_i && n_i != n_max_i && sig_valid_i && $signed(signal_i) < $signed(low_i)));
  assign want_down = !pinned_i && n_i >= n_min_i && (n_i > n_max_i ||
      (n_i != n_min_i && sig_valid_i && $signed(signal_i) > $signed(high_i)));
  assign passed = {1'b0, dwell_i} + 9'd1 >= {1'b0, dwell_min_i};

  logic signed [8:0] fl_up, fl_down;
  assign fl_up = $signed({fl_i[7], fl_i}) + 9'sd4;
  assign fl_down = $signed({fl_i[7], fl_i}) - 9'sd4;
  assign fits_up = fl_up >= $signed({fl_min_i[7], fl_min_i}) && fl_up <= $signed({fl_max_i[7], fl_max_i});
  assign fits_down = fl_down >= $signed({fl_min_i[7], fl_min_i}) && fl_down <= $signed({fl_max_i[7], fl_max_i});
  assign up_o = want_up && passed && fits_up;
  assign down_o = want_down && passed && fits_down;
  assign limited_o = passed && ((want_up && !fits_up) || (want_down && !fits_down));

  assign n_o = up_o ? n_i + 3'd1 : down_o ? n_i - 3'd1 : n_i;
  assign fl_o = up_o ? fl_up[7:0] : down_o ? fl_down[7:0] : fl_i;
  assign dwell_o = (up_o || down_o) ? '0 : (dwell_i == '1) ? dwell_i : dwell_i + 8'd1;

  logic signed [laps_pkg::SignalW:0] moved;
  assign moved = $signed({signal_i[laps_pkg::SignalW-1], signal_i}) +
      ((up_o && sig_valid_i) ? 17'sd1024 : (down_o && sig_valid_i) ? -17'sd1024 : 17'sd0);
  laps_limit #(
    .W(laps_pkg::SignalW + 1)
  ) u_limit (
    .x_i(moved),
    .y_o(signal_o)
  );
endmodule
