// Constants of LAPS (docs/laps/README.md). Integers only, so that simulators and synthesis read the same file.
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
  parameter int MaxBit = 48;

  // An entry: word 1's signal above word 0.
  parameter int EntryW = 48;
  parameter int EntryFl = 0;        // 8
  parameter int EntryN = 8;         // 3
  parameter int EntryUnsigned = 11;
  parameter int EntryPinN = 12;
  parameter int EntryPinFl = 13;
  parameter int EntrySigValid = 14;
  parameter int EntryQuiet = 16;    // 8
  parameter int EntryDwell = 24;    // 8
  parameter int EntrySignal = 32;   // 16

  parameter int RspOk = 0;
  parameter int RspLayer = 1;
  parameter int RspStats = 2;
  parameter int RspLength = 3;

  parameter int RegOk = 0;
  parameter int RegAddress = 1;
  parameter int RegValue = 2;

  // Events of an update, by bit.
  parameter int EvFlDown = 0;
  parameter int EvFlUp = 1;
  parameter int EvNUp = 2;
  parameter int EvNDown = 3;
  parameter int EvLimited = 4;

  // Registers, word addresses; those of a class every 8, those of a slot every 2.
  parameter int AddrClass = 'h200;
  parameter int AddrSchedule = 'h240;
  parameter int AddrStep = 'h250;
  parameter int AddrSeed = 'h251;
  parameter int AddrOrder = 'h252;
  parameter int AddrCounter = 'h258;
  parameter int Counters = 7;       // updates, the five events in order, refused

  parameter int ResetBandActivation = 'h0500_0080;  // high, low
  parameter int ResetBandWeight = 'h0800_0000;
  parameter int ResetBandError = 'h0000_f400;
  parameter int ResetBandGradient = 'h0800_0000;
  parameter int ResetRules = 'h0008_1003;     // hold, dwell_min, smooth
  parameter int ResetLimits = 'h003f_c041;    // fl_max, fl_min, n_max, n_min
  parameter int ResetWhat = 'h41;             // n_max, n_min
  parameter int ResetSeed = 1;
  parameter int ResetOrder = 3;
  /* verilator lint_on UNUSEDPARAM */
endpackage
