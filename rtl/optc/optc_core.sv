// OPTC: momentum-ADAM unified optimiser (docs/optc/README.md). One beat of `Lanes` parameters a cycle, all stages moving together:
// the pipeline stands still while a result is offered and not taken.
module optc_core
  import optc_pkg::config_t, optc_pkg::pass_t, ran_pkg::way_t;
#(
  parameter int Lanes = 4,
  parameter int Modes = 3  // 3: both rules, 1: momentum only, 2: ADAM only
) (
  input  logic clk_i,
  input  logic rst_ni,
  // configuration: one per tensor
  input  logic                      cfg_valid_i,
  output logic                      cfg_ready_o,
  input  config_t                   cfg_i,
  output logic                      rsp_valid_o,   // pulse
  output logic [3:0]                rsp_code_o,
  // state and gradients in
  input  logic                      in_valid_i,
  output logic                      in_ready_o,
  input  logic [Lanes*32-1:0]       in_w_i,
  input  logic [Lanes*32-1:0]       in_m_i,
  input  logic [Lanes*32-1:0]       in_v_i,
  input  logic [Lanes*32-1:0]       in_g_i,
  // state and copy out
  output logic                      out_valid_o,
  input  logic                      out_ready_i,
  output logic                      out_last_o,
  output logic [Lanes*32-1:0]       out_w_o,
  output logic [Lanes*32-1:0]       out_m_o,
  output logic [Lanes*32-1:0]       out_v_o,
  output logic [Lanes*16-1:0]       out_y_o,
  // statistics, a record per tensor
  output logic                      stat_valid_o,
  input  logic                      stat_ready_i,
  output logic [optc_pkg::CountW-1:0]   stat_values_o,
  output logic [6*optc_pkg::CountW-1:0] stat_counts_o,  // eps used, clipped, copy, v, m, w saturated
  output logic [17:0]               stat_bits_o,        // largest bit length of v', m', w'
  // observation, no handshake: what moves on from a stage in this cycle
  output logic                      obs_moment_valid_o,
  output logic [Lanes*64-1:0]       obs_moment_o,       // v', m'
  output logic                      obs_denom_valid_o,
  output logic [Lanes*20-1:0]       obs_denom_o,        // exponent, mantissa
  output logic                      obs_update_valid_o,
  output logic [Lanes*32-1:0]       obs_update_o,
  output logic                      busy_o
);
  localparam int Latency = optc_pkg::Latency;
  localparam int CountW = optc_pkg::CountW;

  // ---- configuration ----------------
  pass_t             pass_q;
  logic [CountW-1:0] in_left, out_left;        // parameters
  logic              open, cfg_take, cfg_good;
  logic [3:0]        code;
  logic signed [5:0] align, align_q;
  logic [5:0]        square_shift, square_shift_q, step_shift, step_shift_q;
  logic [Latency-1:0] vld_q;                   // entry k: stage k + 1

  assign open = in_left != '0;
  assign cfg_ready_o = open || (vld_q == '0 && !stat_valid_o);
  assign cfg_take = cfg_valid_i && cfg_ready_o;
  assign cfg_good = cfg_take && code == optc_pkg::RspOk;
  optc_cfg_check #(
    .Modes(Modes)
  ) u_check (
    .pass_i        (cfg_i.pass),
    .busy_i        (open),
    .code_o        (code),
    .align_o       (align),
    .square_shift_o(square_shift),
    .step_shift_o  (step_shift)
  );

  // ---- flow ----------------
  logic en, in_take, out_take, out_last;
  assign en = !out_valid_o || out_ready_i;
  assign in_ready_o = open && en;
  assign in_take = in_valid_i && in_ready_o;
  assign out_take = out_valid_o && out_ready_i;
  assign out_valid_o = vld_q[Latency-1];
  assign out_last_o = out_valid_o && out_last;
  assign busy_o = open || vld_q != '0 || stat_valid_o;
  optc_left #(
    .Lanes(Lanes)
  ) u_in_left (
    .clk_i,
    .rst_ni,
    .load_i(cfg_good),
    .n_i   (cfg_i.pass.n),
    .take_i(in_take),
    .left_o(in_left),
    /* verilator lint_off PINCONNECTEMPTY */
    .last_o()
    /* verilator lint_on PINCONNECTEMPTY */
  );
  optc_left #(
    .Lanes(Lanes)
  ) u_out_left (
    .clk_i,
    .rst_ni,
    .load_i(cfg_good),
    .n_i   (cfg_i.pass.n),
    .take_i(out_take),
    .left_o(out_left),
    .last_o(out_last)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pass_q         <= '0;
      align_q        <= '0;
      square_shift_q <= '0;
      step_shift_q   <= '0;
      vld_q          <= '0;
      rsp_valid_o    <= 1'b0;
      rsp_code_o     <= '0;
    end else begin
      rsp_valid_o <= cfg_take;
      if (cfg_take) rsp_code_o <= code;
      if (cfg_good) begin
        pass_q         <= cfg_i.pass;
        align_q        <= align;
        square_shift_q <= square_shift;
        step_shift_q   <= step_shift;
      end
      if (en) vld_q <= {vld_q[Latency-2:0], in_take};
    end
  end

  // ---- lanes ----------------
  logic [Lanes*32-1:0] w, m, v;
  logic [Lanes*5-1:0]  flags;
  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    optc_lane #(
      .Modes(Modes)
    ) u_lane (
      .clk_i,
      .en_i          (en),
      .pass_i        (pass_q),
      .align_i       (align_q),
      .square_shift_i(square_shift_q),
      .step_shift_i  (step_shift_q),
      .w_i           (in_w_i[32*l +: 32]),
      .m_i           (in_m_i[32*l +: 32]),
      .v_i           (in_v_i[32*l +: 32]),
      .g_i           (in_g_i[32*l +: 32]),
      .moment_m_o    (obs_moment_o[64*l +: 32]),
      .moment_v_o    (obs_moment_o[64*l + 32 +: 32]),
      .denom_o       (obs_denom_o[20*l +: 16]),
      .denom_exp_o   (obs_denom_o[20*l + 16 +: 4]),
      .update_o      (obs_update_o[32*l +: 32]),
      .w_o           (w[32*l +: 32]),
      .m_o           (m[32*l +: 32]),
      .v_o           (v[32*l +: 32]),
      .flags_o       (flags[5*l +: 5])
    );
  end
  assign obs_moment_valid_o = en && vld_q[optc_pkg::MomentStage-1];
  assign obs_denom_valid_o = en && vld_q[optc_pkg::DenomStage-1] && pass_q.adam &&
                             (Modes & optc_pkg::HasAdam) != 0;
  assign obs_update_valid_o = en && vld_q[optc_pkg::UpdateStage-1];

  // ---- copy: rounded as the RAN rounds; a beat's draws have a number of their own ----------------
  logic [Lanes*trainslice_pkg::DrawW-1:0] draw;
  logic [Lanes*32-1:0]             z;
  way_t                            way;
  always_comb begin
    way = '0;
    way.round = pass_q.copy_round;
    way.rand_bits = pass_q.copy_rand;
    way.shift = pass_q.copy_shift;
  end
  logic [31:0] number_q, word, word_q;   // of the next beat; mixed, of the beat that is rounded
  draw_mix u_mix (
    .number_i(number_q),
    .word_o  (word)
  );
  draw_lanes #(.Lanes(Lanes)) u_lanes (
    .word_i(word_q),
    .draw_o(draw)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      number_q <= '0;
      word_q   <= '0;
    end else if (cfg_good) begin
      number_q <= cfg_i.draw;
    end else if (en && vld_q[Latency-3]) begin
      number_q <= number_q + 32'd1;
      word_q   <= word;
    end
  end
  ran_round #(
    .Lanes(Lanes),
    .AccW (32)
  ) u_round (
    .sum_i (w),
    .cfg_i (way),
    .draw_i(draw),
    .z_o   (z)
  );

  function automatic logic [16:0] copied(input logic signed [31:0] x, input logic [1:0] format);
    logic signed [15:0] most, least;
    most = 16'sh7fff >>> {2'd3 - format, 2'b00};
    least = ~most;
    return (x > 32'(most)) ? {1'b1, most} : (x < 32'(least)) ? {1'b1, least} : {1'b0, x[15:0]};
  endfunction

  // ---- results and statistics ----------------
  logic [Lanes-1:0]     live;
  logic [Lanes*6-1:0]   flags_q;
  logic [Lanes*32-1:0]  w_q, m_q, v_q;
  logic [Lanes*16-1:0]  y_q;
  logic [31:0]          bits_w_q, bits_m_q, bits_v_q, bits_w, bits_m, bits_v;

  for (genvar l = 0; l < Lanes; l++) begin : gen_out
    logic [16:0] copy;
    assign copy = copied(z[32*l +: 32], pass_q.copy_format[1:0]);
    always_ff @(posedge clk_i) begin
      if (en) begin
        w_q[32*l +: 32] <= w[32*l +: 32];
        m_q[32*l +: 32] <= m[32*l +: 32];
        v_q[32*l +: 32] <= v[32*l +: 32];
        y_q[16*l +: 16] <= copy[15:0];
        flags_q[6*l +: 6] <= {flags[5*l + 3 +: 2], copy[16], flags[5*l +: 3]};
      end
    end
    assign live[l] = CountW'(l) < out_left;
    assign out_w_o[32*l +: 32] = live[l] ? w_q[32*l +: 32] : '0;
    assign out_m_o[32*l +: 32] = live[l] ? m_q[32*l +: 32] : '0;
    assign out_v_o[32*l +: 32] = live[l] ? v_q[32*l +: 32] : '0;
    assign out_y_o[16*l +: 16] = live[l] ? y_q[16*l +: 16] : '0;
  end

  optc_counts #(
    .Lanes(Lanes)
  ) u_counts (
    .clk_i,
    .rst_ni,
    .clear_i(cfg_good),
    .take_i (out_take),
    .flags_i(flags_q),
    .live_i (live),
    .count_o(stat_counts_o)
  );
  // The longest of several is as long as their OR.
  function automatic logic [31:0] joined(input logic [31:0] bits, input logic [Lanes*32-1:0] x, input logic is_signed);
    joined = bits;
    for (int l = 0; l < Lanes; l++) begin
      joined = joined | ((is_signed && x[32*l + 31]) ? 32'd0 - x[32*l +: 32] : x[32*l +: 32]);
    end
  endfunction
  function automatic logic [5:0] length(input logic [31:0] x);
    length = '0;
    for (int i = 0; i < 32; i++) if (x[i]) length = 6'(i + 1);
  endfunction
  assign bits_w = joined(bits_w_q, out_w_o, 1'b1);
  assign bits_m = joined(bits_m_q, out_m_o, 1'b1);
  assign bits_v = joined(bits_v_q, out_v_o, 1'b0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bits_w_q      <= '0;
      bits_m_q      <= '0;
      bits_v_q      <= '0;
      stat_valid_o  <= 1'b0;
    end else if (cfg_good) begin
      bits_w_q <= '0;
      bits_m_q <= '0;
      bits_v_q <= '0;
    end else begin
      if (out_take) begin
        bits_w_q <= bits_w;
        bits_m_q <= bits_m;
        bits_v_q <= bits_v;
      end
      if (out_take && out_last_o) stat_valid_o <= 1'b1;
      else if (stat_ready_i) stat_valid_o <= 1'b0;
    end
  end
  assign stat_values_o = pass_q.n;
  assign stat_bits_o = {length(bits_v_q), length(bits_m_q), length(bits_w_q)};
endmodule
