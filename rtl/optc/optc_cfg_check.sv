// What a configuration is answered (docs/optc/reference.md, Configuration). Combinational.
module optc_cfg_check
  import optc_pkg::pass_t, optc_pkg::scalar_t;
#(
  parameter int Modes = 3
) (
  /* verilator lint_off UNUSEDSIGNAL */  // flags, reserved bits
  input  pass_t                     pass_i,
  /* verilator lint_on UNUSEDSIGNAL */
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
  assign adam = (Modes == 3) ? pass_i.adam : (Modes == optc_pkg::HasAdam);
  assign fl_w = pass_i.fl_w;
  assign fl_m = pass_i.fl_m;
  assign fl_v = pass_i.fl_v;
  assign fl_g = pass_i.fl_g;
  assign step_exp = pass_i.step.exp;

  // Of fraction lengths within -64..63: others are refused first. The shifts wrap, but into 0..63 only what is there already.
  logic signed [7:0] align, square_shift;  // -127..127; -191..190
  logic signed [8:0] step_shift;           // -127..382
  assign align = fl_m - fl_g;
  assign square_shift = fl_g + fl_g - fl_v;
  assign step_shift = $signed({1'b0, step_exp}) + (adam ? 9'sd16 : 9'(fl_m)) - 9'(fl_w);

  assign align_o = align[5:0];
  assign square_shift_o = square_shift[5:0];
  assign step_shift_o = step_shift[5:0];

  // Whether a fraction length is outside -64..63, and a scalar outside 0..1.
  function automatic logic far(input logic [1:0] top);
    return top[1] != top[0];
  endfunction
  function automatic logic above_one(input scalar_t scalar);
    return scalar.exp > 8'd47 || 64'(scalar.mant) > (64'd1 << scalar.exp[5:0]);
  endfunction

  logic bad_fl, bad_align, bad_square, bad_step, bad_scalar, bad_eps, bad_clip, bad_copy;
  assign bad_fl = far(fl_w[7:6]) || far(fl_m[7:6]) || far(fl_v[7:6]) || far(fl_g[7:6]) ||
                  (adam && (fl_v[0] || pass_i.pre_v[0]));
  assign bad_align = align < -8'sd31 || align > 8'sd7;
  assign bad_square = adam && (square_shift < 8'sd0 || square_shift > 8'sd63);
  assign bad_step = step_shift < 9'sd0 || step_shift > 9'sd63;
  assign bad_scalar = above_one(pass_i.c1) || above_one(pass_i.c2) ||
                      above_one(pass_i.wd) || step_exp > 8'd63;
  assign bad_eps = adam && (!pass_i.eps.mant[15] || pass_i.eps.exp > 8'd15);
  assign bad_clip = adam && (pass_i.clip == '0 || pass_i.clip > 20'h8_0000);
  assign bad_copy = pass_i.copy_format > 3'd3 || pass_i.copy_round == 2'd3 ||
                    pass_i.copy_shift > 6'd31;

  logic bad_mode;
  assign bad_mode = pass_i.adam ? (Modes & optc_pkg::HasAdam) == 0 : (Modes & optc_pkg::HasMomentum) == 0;

  assign code_o = busy_i ? optc_pkg::RspBusy :
                  bad_mode ? optc_pkg::RspMode :
                  (pass_i.n == '0) ? optc_pkg::RspCount :
                  bad_fl ? optc_pkg::RspFl : bad_align ? optc_pkg::RspAlign :
                  bad_square ? optc_pkg::RspSquare : bad_step ? optc_pkg::RspStep :
                  bad_scalar ? optc_pkg::RspScalar : bad_eps ? optc_pkg::RspEps :
                  bad_clip ? optc_pkg::RspClip : bad_copy ? optc_pkg::RspCopy : optc_pkg::RspOk;
endmodule
