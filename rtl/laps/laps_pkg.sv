// Constants and records of LAPS (docs/laps/README.md).
package laps_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no module uses every entry
  parameter int Classes = 4;        // activation, weight, error, gradient
  parameter int LayerW = 8;
  parameter int RefW = LayerW + 2;  // {layer, class}
  parameter int LogW = 14;          // log2 of up to 48 bits, in 1/256
  parameter int SignalW = 16;
  parameter int TolW = 17;
  parameter int EventW = 5;
  parameter int StepW = 24;
  parameter int Slots = 4;          // of the schedule
  parameter int SliceMove = 1024;   // what a slice moves the signal by
  parameter logic [5:0] MaxBit = 6'd48;

  parameter logic [1:0] RspOk = 2'd0;
  parameter logic [1:0] RspLayer = 2'd1;
  parameter logic [1:0] RspStats = 2'd2;
  parameter logic [1:0] RspLength = 2'd3;

  parameter logic [1:0] RegOk = 2'd0;
  parameter logic [1:0] RegAddress = 2'd1;
  parameter logic [1:0] RegValue = 2'd2;

  // Events of an update, by bit.
  parameter int EvFlDown = 0;
  parameter int EvFlUp = 1;
  parameter int EvNUp = 2;
  parameter int EvNDown = 3;
  parameter int EvLimited = 4;

  // Registers, word addresses; those of a class every 8, those of a slot every 2.
  parameter logic [11:0] AddrClass = 12'h200;
  parameter logic [11:0] AddrSchedule = 12'h240;
  parameter logic [11:0] AddrStep = 12'h250;
  parameter logic [11:0] AddrSeed = 12'h251;
  parameter logic [11:0] AddrOrder = 12'h252;
  parameter logic [11:0] AddrCounter = 12'h258;
  parameter int Counters = 7;       // updates, the five events in order, refused

  parameter logic [31:0] ResetBandActivation = 32'h0500_0080;  // high, low
  parameter logic [31:0] ResetBandWeight = 32'h0800_0000;
  parameter logic [31:0] ResetBandError = 32'h0000_f400;
  parameter logic [31:0] ResetBandGradient = 32'h0800_0000;
  parameter logic [31:0] ResetRules = 32'h0008_1003;     // hold, dwell_min, smooth
  parameter logic [31:0] ResetLimits = 32'h003f_c041;    // fl_max, fl_min, n_max, n_min
  parameter logic [31:0] ResetWhat = 32'h41;             // n_max, n_min
  parameter logic [31:0] ResetSeed = 32'h1;
  parameter logic [1:0] ResetOrder = 2'd3;
  /* verilator lint_on UNUSEDPARAM */

  // An entry: word 1's signal above word 0.
  typedef struct packed {
    logic [SignalW-1:0] signal;       // signed
    logic [7:0]         dwell;
    logic [7:0]         quiet;
    logic               spare15;
    logic               sig_valid;
    logic               pin_fl;
    logic               pin_n;
    logic               is_unsigned;
    logic [2:0]         n;
    logic [7:0]         fl;           // signed
  } entry_t;
  /* verilator lint_off UNUSEDPARAM */
  parameter int EntryW = $bits(entry_t);
  parameter logic [EntryW-1:0] ResetEntry = {32'd0, 5'd0, 3'd2, 8'd0};           // two slices,
  parameter logic [EntryW-1:0] ResetEntryUnsigned = {32'd0, 4'd0, 1'b1, 3'd2, 8'd0};  // of activations without a sign
  /* verilator lint_on UNUSEDPARAM */

  // Registers of a class.
  typedef struct packed {
    logic [SignalW-1:0] high;         // signed
    logic [SignalW-1:0] low;
  } band_t;

  typedef struct packed {
    logic [7:0] spare24;
    logic [7:0] hold;
    logic [7:0] dwell_min;
    logic [2:0] spare5;
    logic       nonzero;
    logic       spare3;
    logic [2:0] smooth;
  } rules_t;

  typedef struct packed {
    logic [2:0] n_max;
    logic       spare3;
    logic [2:0] n_min;
  } bounds_t;

  typedef struct packed {
    logic [7:0] spare24;
    logic [7:0] fl_max;               // signed
    logic [7:0] fl_min;
    logic       spare7;
    bounds_t    bounds;
  } limits_t;

  typedef struct packed {
    logic [14:0] spare17;
    logic        random;
    logic [15:0] tolerance;           // in 2^-16 of the values
  } tolerance_t;

  // A slot of the schedule: from this step on, for these classes; its bounds.
  typedef struct packed {
    logic [2:0]         spare29;
    logic               used;
    logic [Classes-1:0] classes;
    logic [StepW-1:0]   step;
  } when_t;

  typedef struct packed {
    logic [24:0] spare7;
    bounds_t     bounds;
  } what_t;

  // A tensor by its place in the table.
  typedef struct packed {
    logic [LayerW-1:0] layer;
    logic [1:0]        cls;
  } ref_t;

  // The answer to an order.
  typedef struct packed {
    logic [9:0] shift;                // signed
    logic [7:0] fl_y;
    logic [7:0] fl_w;
    logic [7:0] fl_x;
    logic [1:0] order;
    logic [2:0] n_y;
    logic [2:0] n_w;
    logic [2:0] n_x;
  } plan_t;
endpackage
