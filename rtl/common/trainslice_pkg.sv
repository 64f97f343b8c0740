// Constants and records that every block shares (docs/conventions.md).
package trainslice_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no block uses every entry
  parameter int BeatW = 128;      // width of every data stream
  parameter int SliceW = 4;       // bits of a magnitude slice
  parameter int MaxSlices = 4;    // slices of the widest operand
  parameter int MagW = SliceW * MaxSlices;
  parameter int ElemW = MagW + 1; // an operand as {sign, magnitude}
  parameter int BeatValues = BeatW / SliceW;  // values of a beat at the lowest precision: a "superword"
  parameter int GroupValues = BeatW / MagW;   // values of a beat at the highest precision: the write granule
  parameter int Groups = BeatValues / GroupValues;
  parameter int ProdW = 10;       // signed slice product in half units: +-(2 * 15 * 15 + 15)
  parameter int OrderW = 3;       // i + j, 0..6
  parameter int TagW = 16;
  // Draws: random numbers of a lane (draw_mix, draw_lanes).
  parameter int DrawW = 24;
  parameter logic [31:0] MixStart = 32'h9e37_79b9;
  parameter int LaneTaps = 5;     // copies of the mixed word that a lane adds
  // Places by which they are rotated to the right, lane 0 lowest.
  parameter logic [32*5*LaneTaps-1:0] LanePlaces = {
      {5'd29, 5'd26, 5'd25, 5'd19, 5'd4}, {5'd31, 5'd25, 5'd13, 5'd4, 5'd2},
      {5'd31, 5'd20, 5'd9, 5'd8, 5'd4}, {5'd31, 5'd28, 5'd22, 5'd20, 5'd18},
      {5'd25, 5'd22, 5'd15, 5'd11, 5'd10}, {5'd22, 5'd20, 5'd17, 5'd12, 5'd8},
      {5'd21, 5'd18, 5'd14, 5'd3, 5'd1}, {5'd27, 5'd25, 5'd24, 5'd10, 5'd5},
      {5'd27, 5'd24, 5'd23, 5'd20, 5'd7}, {5'd26, 5'd21, 5'd17, 5'd13, 5'd12},
      {5'd20, 5'd17, 5'd16, 5'd13, 5'd9}, {5'd29, 5'd15, 5'd10, 5'd4, 5'd1},
      {5'd26, 5'd22, 5'd13, 5'd4, 5'd3}, {5'd29, 5'd22, 5'd19, 5'd8, 5'd5},
      {5'd29, 5'd19, 5'd14, 5'd7, 5'd1}, {5'd31, 5'd30, 5'd15, 5'd8, 5'd5},
      {5'd30, 5'd29, 5'd24, 5'd13, 5'd1}, {5'd28, 5'd27, 5'd23, 5'd22, 5'd16},
      {5'd26, 5'd24, 5'd22, 5'd13, 5'd6}, {5'd28, 5'd14, 5'd13, 5'd10, 5'd8},
      {5'd26, 5'd18, 5'd13, 5'd8, 5'd0}, {5'd31, 5'd28, 5'd21, 5'd14, 5'd8},
      {5'd28, 5'd22, 5'd21, 5'd17, 5'd1}, {5'd27, 5'd4, 5'd3, 5'd2, 5'd0},
      {5'd31, 5'd30, 5'd11, 5'd10, 5'd5}, {5'd30, 5'd25, 5'd20, 5'd12, 5'd11},
      {5'd21, 5'd17, 5'd15, 5'd14, 5'd1}, {5'd23, 5'd17, 5'd16, 5'd9, 5'd1},
      {5'd26, 5'd24, 5'd18, 5'd12, 5'd2}, {5'd27, 5'd20, 5'd18, 5'd12, 5'd6},
      {5'd30, 5'd23, 5'd21, 5'd16, 5'd6}, {5'd23, 5'd13, 5'd9, 5'd7, 5'd3}
  };
  parameter int StatCountW = 32;  // statistics of a tensor: values, overflow, zeros ...
  parameter int StatBitW = 6;     // ... max_bit ...
  parameter int StatSumW = 48;    // ... sum_abs
  parameter int StatW = 3 * StatCountW + StatBitW + StatSumW;
  /* verilator lint_on UNUSEDPARAM */

  // What a descriptor says about the operands of its jobs.
  typedef struct packed {
    logic [2:0]  x_slices;
    logic [2:0]  w_slices;
    logic        x_unsigned;
    logic        w_unsigned;
    logic [2:0]  min_order;
    logic        compensate;
    logic [3:0]  reduce_factor;
    logic [15:0] k_len;
    logic [15:0] n_jobs;
  } operands_t;

  // Statistics of a tensor.
  typedef struct packed {
    logic [StatCountW-1:0] values;
    logic [StatCountW-1:0] overflow;
    logic [StatCountW-1:0] zeros;
    logic [StatBitW-1:0]   max_bit;
    logic [StatSumW-1:0]   sum_abs;
  } stat_t;
endpackage
