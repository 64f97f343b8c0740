// Constants that every block shares (docs/conventions.md). Integers only, so that simulators and synthesis read the same file.
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
  parameter int StatCountW = 32;  // statistics of a tensor: values, overflow, zeros ...
  parameter int StatBitW = 6;     // ... max_bit ...
  parameter int StatSumW = 48;    // ... sum_abs
  parameter int StatW = 3 * StatCountW + StatBitW + StatSumW;
  /* verilator lint_on UNUSEDPARAM */
endpackage
