// Registers of LAPS beside the table: rules of the classes, schedule, step, seed, limit of orders, counters
// (docs/laps/reference.md, Registers). Addresses are checked by the caller to be those of this module's range.
module laps_regs
  import laps_pkg::band_t, laps_pkg::rules_t, laps_pkg::limits_t, laps_pkg::bounds_t, laps_pkg::tolerance_t;
  import laps_pkg::when_t, laps_pkg::what_t;
(
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
  output band_t       band_o,
  output rules_t      rules_o,
  output limits_t     limits_o,     // the schedule's bounds of n in them, where one applies
  output tolerance_t  tolerance_o,
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

  band_t      band_q [Classes];
  rules_t     rules_q [Classes];
  limits_t    limits_q [Classes];
  tolerance_t tolerance_q [Classes];
  when_t      when_q [Slots];
  what_t      what_q [Slots];
  logic [31:0] counter_q [Counters];
  logic [laps_pkg::StepW-1:0] step_q;
  logic [31:0] seed_q;
  logic [1:0]  most_q;
  assign most_o = most_q;

  // ---- decoding ----------------
  logic in_class, in_slot, at_step, at_seed, at_order, in_counter;
  logic [1:0] class_at, slot_at;
  logic [2:0] counter_at;
  assign in_class = addr_i[11:5] == laps_pkg::AddrClass[11:5] && !addr_i[2];
  assign in_slot = addr_i[11:3] == laps_pkg::AddrSchedule[11:3];
  assign at_step = addr_i == laps_pkg::AddrStep;
  assign at_seed = addr_i == laps_pkg::AddrSeed;
  assign at_order = addr_i == laps_pkg::AddrOrder;
  assign in_counter = addr_i[11:3] == laps_pkg::AddrCounter[11:3] && addr_i[2:0] < 3'(Counters);
  assign exists_o = in_class || in_slot || at_step || at_seed || at_order || in_counter;
  assign class_at = addr_i[4:3];
  assign slot_at = addr_i[2:1];
  assign counter_at = in_counter ? addr_i[2:0] : '0;

  // ---- what may be written ----------------
  function automatic logic bounds_legal(input bounds_t bounds);
    return bounds.n_min >= 3'd1 && bounds.n_min <= bounds.n_max && bounds.n_max <= 3'd4 && !bounds.spare3;
  endfunction
  // What is written, as each of the registers.
  /* verilator lint_off UNUSEDSIGNAL */  // fields that may hold anything
  band_t      band;
  rules_t     rules;
  limits_t    limits;
  tolerance_t tolerance;
  when_t      when;
  what_t      what;
  /* verilator lint_on UNUSEDSIGNAL */
  assign band = wdata_i;
  assign rules = wdata_i;
  assign limits = wdata_i;
  assign tolerance = wdata_i;
  assign when = wdata_i;
  assign what = wdata_i;
  logic band_legal, rules_legal, limits_legal, tolerance_legal, when_legal, what_legal;
  assign band_legal = $signed({band.high[15], band.high}) - $signed({band.low[15], band.low}) > 17'sd1024;
  assign rules_legal = rules.spare24 == '0 && rules.hold != '0 && rules.dwell_min != '0 && rules.spare5 == '0 &&
      !rules.spare3;
  assign limits_legal = limits.spare24 == '0 && bounds_legal(limits.bounds) && !limits.spare7 &&
      limits.fl_min[7] == limits.fl_min[6] && limits.fl_max[7] == limits.fl_max[6] &&
      $signed(limits.fl_min) <= $signed(limits.fl_max);
  assign tolerance_legal = tolerance.spare17 == '0;
  assign when_legal = when.spare29 == '0;
  assign what_legal = what.spare7 == '0 && bounds_legal(what.bounds);

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
      legal_o = wdata_i >> laps_pkg::StepW == '0;
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

  // ---- rules of a class: of the slots that apply the last one counts ----------------
  limits_t          own;
  logic [Slots-1:0] due;
  logic [Classes-1:0] of_class;
  assign of_class = Classes'(1) << class_i;
  logic [$bits(bounds_t)-1:0] slot_bounds [Slots];
  for (genvar k = 0; k < Slots; k++) begin : gen_slot
    /* verilator lint_off UNUSEDSIGNAL */  // spare bits
    when_t mine;
    what_t other;
    /* verilator lint_on UNUSEDSIGNAL */
    assign mine = when_q[k];
    assign other = what_q[k];
    assign due[k] = mine.used && (mine.classes & of_class) != '0 && step_q >= mine.step;
    assign slot_bounds[k] = other.bounds;
  end
  assign own = limits_q[class_i];
  always_comb begin
    limits_o = own;
    for (int k = 0; k < Slots; k++) begin
      if (due[k]) limits_o.bounds = slot_bounds[k];
    end
  end
  assign band_o = band_q[class_i];
  assign rules_o = rules_q[class_i];
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
      most_q <= laps_pkg::ResetOrder;
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
