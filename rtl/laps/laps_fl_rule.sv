// FL of the next tensor: down at once when too much overflowed, up after `hold` updates with nothing above half scale
// (docs/laps/README.md, Update, step 2). Combinational.
module laps_fl_rule (
  input  logic [7:0] fl_i,         // signed
  input  logic [2:0] n_i,
  input  logic       is_unsigned_i,
  input  logic       pin_fl_i,
  input  logic [7:0] quiet_i,
  input  logic       over_i,
  input  logic [5:0] max_bit_i,
  input  logic [7:0] hold_i,
  input  logic [7:0] fl_min_i,     // signed
  input  logic [7:0] fl_max_i,     // signed
  output logic [7:0] fl_o,         // signed
  output logic [7:0] quiet_o,
  output logic       limited_o
);
  logic [5:0] capacity, excess, drop;
  logic       calm, rise;
  logic [8:0] quiet;
  assign capacity = {1'b0, n_i, 2'b00} - {5'd0, !is_unsigned_i};
  assign excess = max_bit_i - capacity;
  assign drop = (max_bit_i <= capacity) ? 6'd1 : (excess > 6'd15) ? 6'd15 : excess;
  assign calm = !over_i && max_bit_i < capacity;
  assign quiet = {1'b0, quiet_i} + 9'd1;
  assign rise = calm && quiet >= {1'b0, hold_i};
  assign quiet_o = (pin_fl_i || !calm || rise) ? '0 : quiet[7:0];

  logic signed [8:0] moved, least, most;
  assign moved = $signed({fl_i[7], fl_i}) - (over_i ? $signed({3'b000, drop}) : 9'sd0) + (rise ? 9'sd1 : 9'sd0);
  assign least = $signed({fl_min_i[7], fl_min_i});
  assign most = $signed({fl_max_i[7], fl_max_i});
  assign limited_o = !pin_fl_i && (moved < least || moved > most);
  assign fl_o = pin_fl_i ? fl_i : (moved < least) ? fl_min_i : (moved > most) ? fl_max_i : moved[7:0];
endmodule
