// Registers of LAPS beside the table: rules of the classes, schedule, step, seed, limit of orders, counters
// (docs/laps/reference.md, Registers). Addresses are checked by the caller to be those of this module's range.
module laps_regs (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic        write_i,      // of a legal value to a register that exists
  input  logic [11:0] addr_i,
  input  logic [31:0] wdata_i,
  output logic [31:0] rdata_o,
  output logic        exists_o,     // combinational on `addr_i`
  output logic        legal_o,      // combinational on `addr_i` and `wdata_i`
  input  logic        step_i,
  // of one class
  input  logic [1:0]  class_i,
  output logic [31:0] band_o,
  output logic [31:0] rules_o,
  output logic [31:0] limits_o,     // the schedule's bounds of n in them, where one applies
  output logic [31:0] tolerance_o,
  // others
  output logic        seed_valid_o, // pulse: `wdata_i` is the seed
  output logic [1:0]  most_o,
  // counting
  input  logic        update_i,
  input  logic [laps_pkg::EventW-1:0] events_i,
  input  logic        refused_i
);
  localparam int Classes = laps_pkg::Classes;
  localparam int Slots = laps_pkg::Slots;
  localparam int Counters = laps_pkg::Counters;

  logic [31:0] band_q [Classes];
  logic [31:0] rules_q [Classes];
  logic [31:0] limits_q [Classes];
  logic [31:0] tolerance_q [Classes];
  logic [31:0] when_q [Slots];
  logic [31:0] what_q [Slots];
  logic [31:0] counter_q [Counters];
  logic [laps_pkg::StepW-1:0] step_q;
  logic [31:0] seed_q;
  logic [1:0]  most_q;
  assign most_o = most_q;

  // ---- decoding ----------------
  logic in_class, in_slot, at_step, at_seed, at_order, in_counter;
  logic [1:0] class_at, slot_at;
  logic [2:0] counter_at;
  assign in_class = addr_i[11:5] == 7'(laps_pkg::AddrClass >> 5) && !addr_i[2];
  assign in_slot = addr_i[11:3] == 9'(laps_pkg::AddrSchedule >> 3);
  assign at_step = addr_i == 12'(laps_pkg::AddrStep);
  assign at_seed = addr_i == 12'(laps_pkg::AddrSeed);
  assign at_order = addr_i == 12'(laps_pkg::AddrOrder);
  assign in_counter = addr_i[11:3] == 9'(laps_pkg::AddrCounter >> 3) && addr_i[2:0] < 3'(Counters);
  assign exists_o = in_class || in_slot || at_step || at_seed || at_order || in_counter;
  assign class_at = addr_i[4:3];
  assign slot_at = addr_i[2:1];
  assign counter_at = in_counter ? addr_i[2:0] : '0;

  // ---- what may be written ----------------
  function automatic logic bounds_legal(input logic [6:0] bounds);  // n_max, a 0, n_min
    return bounds[2:0] >= 3'd1 && bounds[2:0] <= bounds[6:4] && bounds[6:4] <= 3'd4 && !bounds[3];
  endfunction
  logic band_legal, rules_legal, limits_legal, tolerance_legal, when_legal, what_legal;
  assign band_legal = $signed({wdata_i[31], wdata_i[31:16]}) - $signed({wdata_i[15], wdata_i[15:0]}) > 17'sd1024;
  assign rules_legal = wdata_i[31:24] == '0 && wdata_i[23:16] != '0 && wdata_i[15:8] != '0 && wdata_i[7:5] == '0 &&
      !wdata_i[3];
  assign limits_legal = wdata_i[31:24] == '0 && bounds_legal(wdata_i[6:0]) && !wdata_i[7] &&
      wdata_i[15] == wdata_i[14] && wdata_i[23] == wdata_i[22] && $signed(wdata_i[15:8]) <= $signed(wdata_i[23:16]);
  assign tolerance_legal = wdata_i[31:17] == '0;
  assign when_legal = wdata_i[31:29] == '0;
  assign what_legal = wdata_i[31:7] == '0 && bounds_legal(wdata_i[6:0]);

  always_comb begin
    legal_o = 1'b0;
    rdata_o = '0;
    if (in_class) begin
      case (addr_i[1:0])
        2'd0: begin
          legal_o = band_legal;
          rdata_o = band_q[class_at];
        end
        2'd1: begin
          legal_o = rules_legal;
          rdata_o = rules_q[class_at];
        end
        2'd2: begin
          legal_o = limits_legal;
          rdata_o = limits_q[class_at];
        end
        default: begin
          legal_o = tolerance_legal;
          rdata_o = tolerance_q[class_at];
        end
      endcase
    end else if (in_slot) begin
      legal_o = addr_i[0] ? what_legal : when_legal;
      rdata_o = addr_i[0] ? what_q[slot_at] : when_q[slot_at];
    end else if (at_step) begin
      legal_o = wdata_i[31:24] == '0;
      rdata_o = {8'd0, step_q};
    end else if (at_seed) begin
      legal_o = 1'b1;
      rdata_o = seed_q;
    end else if (at_order) begin
      legal_o = wdata_i[31:2] == '0;
      rdata_o = {30'd0, most_q};
    end else if (in_counter) begin
      legal_o = 1'b1;
      rdata_o = counter_q[counter_at];
    end
  end
  assign seed_valid_o = write_i && at_seed;

  // ---- rules of a class ----------------
  logic [6:0] n_bounds;
  always_comb begin
    n_bounds = limits_q[class_i][6:0];
    for (int k = 0; k < Slots; k++) begin
      if (when_q[k][28] && when_q[k][{3'b110, class_i}] && step_q >= when_q[k][23:0]) n_bounds = what_q[k][6:0];
    end
  end
  assign band_o = band_q[class_i];
  assign rules_o = rules_q[class_i];
  assign limits_o = {limits_q[class_i][31:7], n_bounds};
  assign tolerance_o = tolerance_q[class_i];

  // ---- registers ----------------
  logic [Counters-1:0] count;
  assign count = {refused_i, events_i & {laps_pkg::EventW{update_i}}, update_i};
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      band_q[0] <= laps_pkg::ResetBandActivation;
      band_q[1] <= laps_pkg::ResetBandWeight;
      band_q[2] <= laps_pkg::ResetBandError;
      band_q[3] <= laps_pkg::ResetBandGradient;
      for (int c = 0; c < Classes; c++) begin
        rules_q[c] <= laps_pkg::ResetRules;
        limits_q[c] <= laps_pkg::ResetLimits;
        tolerance_q[c] <= '0;
      end
      for (int k = 0; k < Slots; k++) begin
        when_q[k] <= '0;
        what_q[k] <= laps_pkg::ResetWhat;
      end
      for (int n = 0; n < Counters; n++) counter_q[n] <= '0;
      step_q <= '0;
      seed_q <= laps_pkg::ResetSeed;
      most_q <= 2'(laps_pkg::ResetOrder);
    end else begin
      for (int n = 0; n < Counters; n++) if (count[n]) counter_q[n] <= counter_q[n] + 32'd1;
      if (step_i && step_q != '1) step_q <= step_q + laps_pkg::StepW'(1);
      if (write_i) begin
        if (in_class && addr_i[1:0] == 2'd0) band_q[class_at] <= wdata_i;
        if (in_class && addr_i[1:0] == 2'd1) rules_q[class_at] <= wdata_i;
        if (in_class && addr_i[1:0] == 2'd2) limits_q[class_at] <= wdata_i;
        if (in_class && addr_i[1:0] == 2'd3) tolerance_q[class_at] <= wdata_i;
        if (in_slot && !addr_i[0]) when_q[slot_at] <= wdata_i;
        if (in_slot && addr_i[0]) what_q[slot_at] <= wdata_i;
        if (at_step) step_q <= wdata_i[laps_pkg::StepW-1:0];
        if (at_seed) seed_q <= wdata_i;
        if (at_order) most_q <= wdata_i[1:0];
        if (in_counter) counter_q[counter_at] <= wdata_i;
      end
    end
  end
endmodule
