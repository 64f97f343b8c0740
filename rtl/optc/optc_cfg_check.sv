// What a configuration is answered (docs/optc/reference.md, Configuration). Combinational.
module optc_cfg_check #(
  parameter int Modes = 3
) (
  input  logic [optc_pkg::CfgW-1:0] cfg_i,
  input  logic                      busy_i,
  output logic [3:0]                code_o,
  output logic signed [5:0]         align_o,         // places that g is shifted left
  output logic [5:0]                square_shift_o,  // places that g^2 is shifted right
  output logic [5:0]                step_shift_o     // places that mantissa times u is shifted right
);
  logic adam;
  logic signed [7:0] fl_w, fl_m, fl_v, fl_g;
  logic [7:0] step_exp;
  // A core with one rule takes it as given: what asks for the other one is refused before anything that depends on it.
  assign adam = (Modes == 3) ? cfg_i[optc_pkg::CfgAdam] : (Modes == optc_pkg::HasAdam);
  assign fl_w = cfg_i[optc_pkg::CfgFlW +: 8];
  assign fl_m = cfg_i[optc_pkg::CfgFlM +: 8];
  assign fl_v = cfg_i[optc_pkg::CfgFlV +: 8];
  assign fl_g = cfg_i[optc_pkg::CfgFlG +: 8];
  assign step_exp = cfg_i[optc_pkg::CfgStep + 16 +: 8];

  logic signed [8:0] align;
  logic signed [9:0] square_shift, step_shift;
  assign align = 9'(fl_m) - 9'(fl_g);
  assign square_shift = 10'(fl_g) + 10'(fl_g) - 10'(fl_v);
  assign step_shift = $signed({2'b00, step_exp}) + (adam ? 10'sd16 : 10'(fl_m)) - 10'(fl_w);

  assign align_o = align[5:0];
  assign square_shift_o = square_shift[5:0];
  assign step_shift_o = step_shift[5:0];

  // Whether a fraction length is outside -64..63, and a scalar outside 0..1.
  function automatic logic far(input logic [1:0] top);
    return top[1] != top[0];
  endfunction
  function automatic logic above_one(input logic [23:0] scalar);
    return scalar[23:16] > 8'd47 || 64'(scalar[15:0]) > (64'd1 << scalar[21:16]);
  endfunction

  logic bad_fl, bad_align, bad_square, bad_step, bad_scalar, bad_eps, bad_clip, bad_copy;
  assign bad_fl = far(fl_w[7:6]) || far(fl_m[7:6]) || far(fl_v[7:6]) || far(fl_g[7:6]) ||
                  (adam && (fl_v[0] || cfg_i[optc_pkg::CfgPreV]));
  assign bad_align = align < -9'sd31 || align > 9'sd7;
  assign bad_square = adam && (square_shift < 10'sd0 || square_shift > 10'sd63);
  assign bad_step = step_shift < 10'sd0 || step_shift > 10'sd63;
  assign bad_scalar = above_one(cfg_i[optc_pkg::CfgC1 +: 24]) || above_one(cfg_i[optc_pkg::CfgC2 +: 24]) ||
                      above_one(cfg_i[optc_pkg::CfgWd +: 24]) || step_exp > 8'd63;
  assign bad_eps = adam && (!cfg_i[optc_pkg::CfgEps + 15] || cfg_i[optc_pkg::CfgEps + 16 +: 8] > 8'd15);
  assign bad_clip = adam && (cfg_i[optc_pkg::CfgClip +: 20] == '0 || cfg_i[optc_pkg::CfgClip +: 20] > 20'h8_0000);
  assign bad_copy = cfg_i[optc_pkg::CfgCopyFormat +: 3] > 3'd3 || cfg_i[optc_pkg::CfgCopyRound +: 2] == 2'd3 ||
                    cfg_i[optc_pkg::CfgCopyShift +: 6] > 6'd31;

  logic bad_mode;
  assign bad_mode = cfg_i[optc_pkg::CfgAdam] ? (Modes & optc_pkg::HasAdam) == 0 : (Modes & optc_pkg::HasMomentum) == 0;

  assign code_o = busy_i ? 4'(optc_pkg::RspBusy) :
                  bad_mode ? 4'(optc_pkg::RspMode) :
                  (cfg_i[optc_pkg::CfgN +: optc_pkg::CountW] == '0) ? 4'(optc_pkg::RspCount) :
                  bad_fl ? 4'(optc_pkg::RspFl) : bad_align ? 4'(optc_pkg::RspAlign) :
                  bad_square ? 4'(optc_pkg::RspSquare) : bad_step ? 4'(optc_pkg::RspStep) :
                  bad_scalar ? 4'(optc_pkg::RspScalar) : bad_eps ? 4'(optc_pkg::RspEps) :
                  bad_clip ? 4'(optc_pkg::RspClip) : bad_copy ? 4'(optc_pkg::RspCopy) : 4'(optc_pkg::RspOk);

  // Flags and reserved bits of the word are not checked.
  logic unused;
  assign unused = ^cfg_i;
endmodule
