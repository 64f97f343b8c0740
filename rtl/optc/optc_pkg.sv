// Constants and records of the OPTC (docs/optc/README.md).
package optc_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no module uses every entry
  parameter int Latency = 49;       // cycles from a beat's transfer to its offer
  parameter int MomentStage = 6;    // m' and v' are registered
  parameter int RootStages = 16;
  parameter int DenomStage = 24;    // denominator is registered
  parameter int DivStages = 20;
  parameter int UpdateStage = 46;   // u is registered
  parameter int SquareW = 44;
  parameter int NumW = 35;          // dividend
  parameter int CountW = 24;

  parameter logic [3:0] RspOk = 4'd0;
  parameter logic [3:0] RspBusy = 4'd1;
  parameter logic [3:0] RspCount = 4'd2;
  parameter logic [3:0] RspFl = 4'd3;
  parameter logic [3:0] RspAlign = 4'd4;
  parameter logic [3:0] RspSquare = 4'd5;
  parameter logic [3:0] RspStep = 4'd6;
  parameter logic [3:0] RspScalar = 4'd7;
  parameter logic [3:0] RspEps = 4'd8;
  parameter logic [3:0] RspClip = 4'd9;
  parameter logic [3:0] RspCopy = 4'd10;
  parameter logic [3:0] RspMode = 4'd11;       // checked right after busy

  parameter int HasMomentum = 1;    // bits of `Modes`: the rules that a core has
  parameter int HasAdam = 2;
  /* verilator lint_on UNUSEDPARAM */

  typedef struct packed {
    logic [7:0]  exp;
    logic [15:0] mant;
  } scalar_t;

  // What a pass does.
  typedef struct packed {
    logic [29:0] spare;
    logic [2:0]  pre_v;       // signed
    logic [2:0]  pre_m;
    logic [2:0]  pre_w;
    logic [5:0]  copy_shift;
    logic [1:0]  copy_rand;
    logic [1:0]  copy_round;
    logic [2:0]  copy_format;
    logic [19:0] clip;
    scalar_t     eps;
    scalar_t     wd;
    scalar_t     step;
    scalar_t     c2;
    scalar_t     c1;
    logic [7:0]  fl_g;        // signed
    logic [7:0]  fl_v;
    logic [7:0]  fl_m;
    logic [7:0]  fl_w;
    logic [CountW-1:0] n;
    logic [6:0]  spare0;
    logic        adam;
  } pass_t;

  // A configuration: where the numbers of draws begin too.
  typedef struct packed {
    logic [31:0] draw;
    pass_t       pass;
  } config_t;
  /* verilator lint_off UNUSEDPARAM */
  parameter int CfgW = $bits(config_t);
  /* verilator lint_on UNUSEDPARAM */

  // Statistics of a pass: bit lengths of the largest values; how many values saturated, quotients were clipped, roots gave way to eps.
  typedef struct packed {
    logic [5:0]        bits_v;
    logic [5:0]        bits_m;
    logic [5:0]        bits_w;
    logic [CountW-1:0] w;
    logic [CountW-1:0] m;
    logic [CountW-1:0] v;
    logic [CountW-1:0] copy;
    logic [CountW-1:0] clipped;
    logic [CountW-1:0] eps;
    logic [CountW-1:0] values;
  } record_t;
endpackage
