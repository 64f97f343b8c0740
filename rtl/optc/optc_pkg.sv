// Constants of the OPTC (docs/optc/README.md). Integers only, so that simulators and synthesis read the same file.
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

  parameter int RspOk = 0;
  parameter int RspBusy = 1;
  parameter int RspCount = 2;
  parameter int RspFl = 3;
  parameter int RspAlign = 4;
  parameter int RspSquare = 5;
  parameter int RspStep = 6;
  parameter int RspScalar = 7;
  parameter int RspEps = 8;
  parameter int RspClip = 9;
  parameter int RspCopy = 10;
  parameter int RspMode = 11;       // checked right after busy

  parameter int HasMomentum = 1;    // bits of `Modes`: the rules that a core has
  parameter int HasAdam = 2;

  // A configuration: one word, named by its fields' lowest bits.
  parameter int CfgAdam = 0;
  parameter int CfgN = 8;           // 24
  parameter int CfgFlW = 32;        // 8 each, signed
  parameter int CfgFlM = 40;
  parameter int CfgFlV = 48;
  parameter int CfgFlG = 56;
  parameter int CfgC1 = 64;         // scalars: mantissa 16, exponent 8
  parameter int CfgC2 = 88;
  parameter int CfgStep = 112;
  parameter int CfgWd = 136;
  parameter int CfgEps = 160;
  parameter int CfgClip = 184;      // 20
  parameter int CfgCopyFormat = 204;  // 3
  parameter int CfgCopyRound = 207;   // 2
  parameter int CfgCopyRand = 209;    // 2
  parameter int CfgCopyShift = 211;   // 6
  parameter int CfgPreW = 217;        // 3 each, signed
  parameter int CfgPreM = 220;
  parameter int CfgPreV = 223;
  parameter int CfgDraw = 256;        // 32: number of the first beat's draws
  parameter int CfgW = 288;
  /* verilator lint_on UNUSEDPARAM */
endpackage
