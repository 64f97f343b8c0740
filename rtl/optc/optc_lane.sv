// One lane of the OPTC: the whole pipeline of a parameter's update except the copy (docs/optc/README.md: Arithmetic, Timing).
//
// All stages move together with `en_i`. What belongs to ADAM alone moves only in ADAM mode. Names end in the number of the stage
// whose register they are. With one rule left out by `Modes`, `adam` is constant and what belongs to the other one falls away.
module optc_lane
  import optc_pkg::pass_t;
#(
  parameter int Modes = 3
) (
  input  logic        clk_i,
  input  logic        en_i,
  /* verilator lint_off UNUSEDSIGNAL */  // what others check and do
  input  pass_t                     pass_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic signed [5:0] align_i,        // -31..7
  input  logic [5:0]  square_shift_i,
  input  logic [5:0]  step_shift_i,
  input  logic [31:0] w_i,
  input  logic [31:0] m_i,
  input  logic [31:0] v_i,
  input  logic [31:0] g_i,
  output logic [31:0] moment_m_o,     // at MomentStage
  output logic [31:0] moment_v_o,
  output logic [15:0] denom_o,        // at DenomStage
  output logic [3:0]  denom_exp_o,
  output logic [31:0] update_o,       // at UpdateStage
  output logic [31:0] w_o,            // one stage before the last
  output logic [31:0] m_o,
  output logic [31:0] v_o,
  output logic [4:0]  flags_o         // eps used, clipped, v, m, w saturated
);
  localparam int SquareW = optc_pkg::SquareW;
  localparam int NumW = optc_pkg::NumW;

  // Nearest integer of x / 2^by, ties to even.
  function automatic logic signed [63:0] nearest(input logic signed [63:0] x, input logic [5:0] by);
    logic               odd;
    logic signed [63:0] sum;  // |x| is at most 2^62
    odd = 1'(x >>> by);
    sum = x + ((by == '0) ? 64'sd0 : $signed((64'd1 << (by - 6'd1)) - 64'd1 + {63'd0, odd}));
    return sum >>> by;
  endfunction
  // {saturated, value} as a signed, as an unsigned number of 32 bits.
  function automatic logic [32:0] sat_s(input logic signed [63:0] x);
    return (x > 64'sh7fff_ffff) ? {1'b1, 32'h7fff_ffff} :
           (x < -64'sh8000_0000) ? {1'b1, 32'h8000_0000} : {1'b0, x[31:0]};
  endfunction
  function automatic logic [32:0] sat_u(input logic signed [63:0] x);
    return (x > 64'shffff_ffff) ? {1'b1, 32'hffff_ffff} : (x < 64'sd0) ? {1'b1, 32'd0} : {1'b0, x[31:0]};
  endfunction
  // Moves a state's fraction length.
  function automatic logic signed [63:0] rescaled(input logic signed [63:0] x, input logic signed [2:0] pre);
    return pre[2] ? nearest(x, {3'd0, 3'd0 - pre}) : x <<< pre[1:0];
  endfunction

  logic adam, en_adam;
  logic [15:0] c1, c2, step, wd, eps;
  logic [5:0]  c1_exp, c2_exp, wd_exp;
  logic [3:0]  eps_exp;
  logic signed [6:0] fl_m, fl_v;
  assign adam = (Modes == 3) ? pass_i.adam : (Modes == optc_pkg::HasAdam);
  assign en_adam = en_i && adam;
  assign c1 = pass_i.c1.mant;
  assign c2 = pass_i.c2.mant;
  assign step = pass_i.step.mant;
  assign wd = pass_i.wd.mant;
  assign eps = pass_i.eps.mant;
  assign c1_exp = pass_i.c1.exp[5:0];
  assign c2_exp = pass_i.c2.exp[5:0];
  assign wd_exp = pass_i.wd.exp[5:0];
  assign eps_exp = pass_i.eps.exp[3:0];
  assign fl_m = pass_i.fl_m[6:0];
  assign fl_v = pass_i.fl_v[6:0];

  // ---- 1: rescale ----------------
  logic [31:0] w1, m1, v1, g1;
  logic [32:0] w_in, m_in, v_in;
  assign w_in = sat_s(rescaled(64'($signed(w_i)), pass_i.pre_w));
  assign m_in = sat_s(rescaled(64'($signed(m_i)), pass_i.pre_m));
  assign v_in = sat_u(rescaled($signed({32'd0, v_i}), pass_i.pre_v));

  // ---- 2: align and square ----------------
  logic [31:0] m2, v2;
  logic signed [38:0] gm2;
  logic signed [63:0] sq2;
  logic signed [38:0] gm;
  assign gm = align_i[5] ? 39'(nearest(64'($signed(g1)), {1'b0, 5'd0 - align_i[4:0]})) :
                           39'($signed(g1)) <<< align_i[2:0];

  // ---- 3: the square on v's grid; what c1 multiplies, and what is added to it ----------------
  logic [31:0] v3;
  logic signed [39:0] x3, base3;
  logic signed [63:0] gs;
  logic [SquareW-1:0] gs3;
  assign gs = nearest(sq2, square_shift_i);

  // ---- 4: first moment's product ----------------
  logic [31:0] v4;
  logic signed [39:0] base4;
  logic signed [55:0] p4;
  logic signed [SquareW:0] d4;

  // ---- 5, 6: first and second moment ----------------
  logic [31:0] m5, v5, m6, v6;
  logic signed [60:0] p5;
  logic [32:0] m_sat, v_sat;
  assign m_sat = sat_s(64'(base4) + nearest(64'(p4), c1_exp));
  assign v_sat = adam ? sat_u($signed({32'd0, v5}) + nearest(64'(p5), c2_exp)) : {1'b0, v5};
  assign moment_m_o = m6;
  assign moment_v_o = v6;

  // ---- 7: left-normalise ----------------
  logic [3:0]  n7;
  logic [31:0] scaled7;
  logic        zero7;
  function automatic logic [3:0] pairs(input logic [31:0] v);  // leading pairs of zeros; 0 for 0
    logic found;
    pairs = '0;
    found = 1'b0;
    for (int i = 15; i >= 0; i--) begin
      if (!found && v[2*i +: 2] != 2'b00) begin
        pairs = 4'(15 - i);
        found = 1'b1;
      end
    end
  endfunction

  // ---- 8..23: root ----------------
  logic [15:0] root;
  optc_root u_root (.clk_i, .en_i(en_adam), .radicand_i(scaled7), .root_o(root));
  logic [5*optc_pkg::RootStages-1:0] n_line;   // {zero, n} of every stage, newest lowest
  logic [3:0] n23;
  logic       zero23, use_eps;
  assign {zero23, n23} = n_line[5*optc_pkg::RootStages-1 -: 5];
  assign use_eps = zero23 || n23 > eps_exp || (n23 == eps_exp && root < eps);

  // ---- 24: denominator ----------------
  logic [15:0] d24;
  logic [3:0]  k24;
  logic        eps24;
  assign denom_o = d24;
  assign denom_exp_o = k24;

  // ---- lines of what waits ----------------
  // m' and v' from 6 to 48, w from 1 to 47, what saturated from where it did.
  localparam int MomentLine = optc_pkg::Latency - 1 - optc_pkg::MomentStage;
  localparam int WeightLine = optc_pkg::Latency - 4;
  logic [32*MomentLine-1:0] m_line, v_line;
  logic [32*WeightLine-1:0] w_line;    // entry k: stage k + 2
  logic [31:0] m24, m45, w46;
  assign m24 = m_line[32*(24 - 7) +: 32];
  assign m45 = m_line[32*(45 - 7) +: 32];
  assign w46 = w_line[32*(46 - 2) +: 32];

  // ---- 25: dividend ----------------
  logic signed [6:0] shift;   // -22..62: RspAlign and RspSquare refuse what goes farther
  logic [31:0] abs_m;
  logic [65:0] left;
  logic [NumW-1:0] num25;
  logic [15:0] d25;
  logic        big25, big;
  assign shift = $signed({3'd0, k24}) + 7'sd16 + (fl_v >>> 1) - fl_m;
  assign abs_m = m24[31] ? 32'd0 - m24 : m24;
  assign left = 66'(abs_m) << shift[5:0];
  assign big = !shift[6] && (shift >= 7'sd35 ? abs_m != '0 : left[65:NumW] != '0);
  logic [4:0] right;
  assign right = 5'd0 - shift[4:0];

  // ---- 26..45: quotient ----------------
  logic [optc_pkg::DivStages-1:0] quo;
  optc_div u_div (.clk_i, .en_i(en_adam), .num_i(num25), .den_i(d25), .quo_o(quo));
  logic [2*optc_pkg::DivStages-1:0] q_line;    // {big, eps used}
  logic eps25, big45, eps45, clipped;
  logic [19:0] clip, limited;
  assign {big45, eps45} = q_line[2*optc_pkg::DivStages-1 -: 2];
  assign clip = pass_i.clip;
  assign clipped = big45 || quo > clip;
  assign limited = clipped ? clip : quo;

  // ---- 46..48: update, its products, weight ----------------
  logic [31:0] u46, w48;
  logic signed [47:0] ps47, pw47;
  logic [31:0] w47;
  logic clip46, eps46, clip47, eps47, clip48, eps48, ow48;
  logic [32:0] w_sat;
  assign w_sat = sat_s(64'($signed(w47)) - nearest(64'(ps47), step_shift_i) - nearest(64'(pw47), wd_exp));
  assign update_o = u46;
  assign w_o = w48;
  assign m_o = m_line[32*MomentLine-1 -: 32];
  assign v_o = v_line[32*MomentLine-1 -: 32];

  // Saturations travel with their parameter: {v, m, w}.
  logic [3*(optc_pkg::Latency-1)-1:0] sat_line;  // entry k: stage k + 1
  logic ov3;
  assign flags_o = {eps48, clip48, sat_line[3*(optc_pkg::Latency-1)-1 -: 2],
                    sat_line[3*(optc_pkg::Latency-2)] || ow48};

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      w1  <= w_in[31:0];
      m1  <= m_in[31:0];
      v1  <= v_in[31:0];
      g1  <= g_i;
      m2  <= m1;
      v2  <= v1;
      gm2 <= gm;
      v3  <= v2;
      x3  <= adam ? 40'(gm2) - 40'($signed(m2)) : -40'($signed(m2));
      base3 <= adam ? 40'($signed(m2)) : 40'($signed(m2)) + 40'(gm2);
      base4 <= base3;
      v4  <= v3;
      p4  <= 56'(x3) * $signed({40'd0, c1});
      m5  <= m_sat[31:0];
      v5  <= v4;
      m6  <= m5;
      v6  <= v_sat[31:0];
      m_line <= {m_line[32*(MomentLine-1)-1:0], m6};
      v_line <= {v_line[32*(MomentLine-1)-1:0], v6};
      w_line <= {w_line[32*(WeightLine-1)-1:0], w1};
      u46 <= adam ? (m45[31] ? 32'd0 - 32'(limited) : 32'(limited)) : m45;
      ps47 <= 48'($signed(u46)) * $signed({32'd0, step});
      pw47 <= 48'($signed(w46)) * $signed({32'd0, wd});
      w47 <= w46;
      {ow48, w48} <= w_sat;
      clip46 <= adam && clipped;
      eps46  <= adam && eps45;
      {clip47, eps47} <= {clip46, eps46};
      {clip48, eps48} <= {clip47, eps47};
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_adam) begin
      sq2 <= 64'($signed(g1)) * 64'($signed(g1));
      gs3 <= (gs[63:SquareW] != '0) ? '1 : gs[SquareW-1:0];
      ov3 <= gs[63:SquareW] != '0;
      d4  <= $signed({1'b0, gs3}) - $signed({13'd0, v3});
      p5  <= 61'(d4) * $signed({45'd0, c2});
      n7  <= pairs(v6);
      scaled7 <= v6 << {pairs(v6), 1'b0};
      zero7 <= v6 == '0;
      n_line <= {n_line[5*(optc_pkg::RootStages-1)-1:0], zero7, n7};
      d24 <= use_eps ? eps : root;
      k24 <= use_eps ? eps_exp : n23;
      eps24 <= use_eps;
      num25 <= shift[6] ? NumW'(abs_m >> right) : left[NumW-1:0];
      d25 <= d24;
      big25 <= big;
      eps25 <= eps24;
      q_line <= {q_line[2*(optc_pkg::DivStages-1)-1:0], big25, eps25};
    end
  end

  // Flags of stage k + 1 from those of stage k and what saturates on the way: m into 5, v into 4 (the square of stage 3) and 6.
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      for (int k = 2; k <= optc_pkg::Latency - 1; k++) begin
        sat_line[3*(k-1)]     <= sat_line[3*(k-2)];
        sat_line[3*(k-1) + 1] <= sat_line[3*(k-2) + 1] || (k == 5 && m_sat[32]);
        sat_line[3*(k-1) + 2] <= sat_line[3*(k-2) + 2] || (k == 4 && adam && ov3) ||
                                 (k == 6 && v_sat[32]);
      end
      sat_line[2:0] <= {v_in[32], m_in[32], w_in[32]};
    end
  end
endmodule
