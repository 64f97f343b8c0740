// Optimiser pass: state and gradients from the buffers through the OPTC and back (docs/top/reference.md, OPT). Four parameters a cycle.
// Momentum has no second moment: Sv is neither read nor written, and its ports are free.
module top_opt #(
  parameter int YWords = 16384,
  parameter int SWords = 4096
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                      start_i,       // pulse; the command is stable until `done_o`
  /* verilator lint_off UNUSEDSIGNAL */  // fields of other commands
  input  logic [top_pkg::CmdW-1:0]  cmd_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic                      done_o,        // pulse
  output logic                      refused_o,
  output logic [3:0]                code_o,
  output logic                      range_o,
  output logic                      busy_o,
  input  logic                      seed_valid_i,
  input  logic [31:0]               seed_i,
  // read ports: Sw, Sm, Sv, Y; all granted while this works
  output logic [3:0]                req_o,
  output logic [4*top_pkg::AddrW-1:0] addr_o,
  input  logic [4*top_pkg::BeatW-1:0] data_i,
  // write ports: state, and half a word of Y
  output logic [2:0]                s_we_o,        // Sw, Sm, Sv
  output logic [top_pkg::AddrW-1:0] s_addr_o,
  output logic [3*top_pkg::BeatW-1:0] s_data_o,
  output logic [7:0]                y_we_o,
  output logic [top_pkg::AddrW-1:0] y_addr_o,
  output logic [top_pkg::BeatW-1:0] y_data_o,
  output logic [255:0]              stat_o         // OPT_STAT of the last pass
);
  localparam int WordW = top_pkg::WordW;
  localparam int BeatsW = top_pkg::BeatsW;
  localparam logic [2:0] Idle = 3'd0, Offer = 3'd1, Answer = 3'd2, Run = 3'd3, Done = 3'd4;
  logic [2:0]  state_q;
  logic        refused_q, range_q;
  logic [3:0]  code_q;
  logic [optc_pkg::CfgW-1:0] cfg;
  logic momentum;
  logic [BeatsW-1:0] beats;
  logic [15:0] s_addr, g_addr, c_addr;
  assign cfg = cmd_i[96 +: optc_pkg::CfgW];
  assign momentum = !cfg[0];
  top_beats u_beats (
    .n_i    (cfg[optc_pkg::CfgN +: optc_pkg::CountW]),
    .beats_o(beats)
  );
  assign s_addr = cmd_i[47:32];
  assign g_addr = cmd_i[63:48];
  assign c_addr = cmd_i[79:64];

  logic cfg_ready, rsp_valid, in_valid, in_ready, out_valid, out_last, stat_valid, optc_busy;
  logic [3:0]  rsp_code, valid, range, side;
  logic [511:0] fetched;
  logic [127:0] out_w, out_m, out_v;
  logic [63:0]  out_y;
  logic [optc_pkg::CountW-1:0]   stat_values;
  logic [6*optc_pkg::CountW-1:0] stat_counts;
  logic [17:0]  stat_bits;

  for (genvar f = 0; f < 4; f++) begin : gen_fetch
    logic [BeatsW-1:0] left_q;           // words not asked for yet
    logic [WordW-1:0]  word_q, word_next;
    logic              ready, more;
    assign more = state_q == Run && left_q != '0;
    top_word u_next (
      .word_i(word_q),
      .by_i  (1'b1),
      .word_o(word_next)
    );
    top_fetch #(
      .Words((f == 3) ? YWords : SWords),
      .SideW(1)
    ) u_fetch (
      .clk_i,
      .rst_ni,
      .clear_i    (1'b0),
      .req_valid_i(more),
      .req_ready_o(ready),
      .req_addr_i (word_q),
      .req_side_i (1'b0),
      .mem_req_o  (req_o[f]),
      .mem_addr_o (addr_o[top_pkg::AddrW*f +: top_pkg::AddrW]),
      .mem_gnt_i  (1'b1),
      .mem_data_i (data_i[128*f +: 128]),
      .out_valid_o(valid[f]),
      .out_ready_i(in_ready && in_valid),
      .out_data_o (fetched[128*f +: 128]),
      .out_side_o (side[f]),
      .out_range_o(range[f])
    );
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        left_q <= '0;
        word_q <= '0;
      end else if (start_i) begin
        left_q <= (f == 2 && momentum) ? '0 : beats;
        word_q <= {1'b0, (f == 3) ? g_addr : s_addr};
      end else if (more && ready) begin
        left_q <= left_q - BeatsW'(1);
        word_q <= word_next;
      end
    end
  end
  assign in_valid = (valid | {1'b0, momentum, 2'b00}) == '1;

  optc_core #(
    .Lanes(4)
  ) u_optc (
    .clk_i,
    .rst_ni,
    .cfg_valid_i       (state_q == Offer),
    .cfg_ready_o       (cfg_ready),
    .cfg_i             (cfg),
    .rsp_valid_o       (rsp_valid),
    .rsp_code_o        (rsp_code),
    .seed_valid_i,
    .seed_i,
    .in_valid_i        (in_valid),
    .in_ready_o        (in_ready),
    .in_w_i            (fetched[0 +: 128]),
    .in_m_i            (fetched[128 +: 128]),
    .in_v_i            (momentum ? '0 : fetched[256 +: 128]),
    .in_g_i            (fetched[384 +: 128]),
    .out_valid_o       (out_valid),
    .out_ready_i       (1'b1),
    .out_last_o        (out_last),
    .out_w_o           (out_w),
    .out_m_o           (out_m),
    .out_v_o           (out_v),
    .out_y_o           (out_y),
    .stat_valid_o      (stat_valid),
    .stat_ready_i      (1'b1),
    .stat_values_o     (stat_values),
    .stat_counts_o     (stat_counts),
    .stat_bits_o       (stat_bits),
    /* verilator lint_off PINCONNECTEMPTY */  // observation
    .obs_moment_valid_o(),
    .obs_moment_o      (),
    .obs_denom_valid_o (),
    .obs_denom_o       (),
    .obs_update_valid_o(),
    .obs_update_o      (),
    /* verilator lint_on PINCONNECTEMPTY */
    .busy_o            (optc_busy)
  );

  // ---- back ----------------
  logic [WordW-1:0] s_word_q, c_word_q, s_word_next, c_word_next;
  logic             c_upper_q, s_outside, c_outside;   // the upper half of a word of copies is next
  top_word u_s_next (
    .word_i(s_word_q),
    .by_i  (1'b1),
    .word_o(s_word_next)
  );
  top_word u_c_next (
    .word_i(c_word_q),
    .by_i  (c_upper_q),
    .word_o(c_word_next)
  );
  assign s_outside = s_word_q >= WordW'(SWords);
  assign c_outside = c_word_q >= WordW'(YWords);
  assign s_we_o = (out_valid && !s_outside) ? {!momentum, 2'b11} : '0;
  assign s_addr_o = s_word_q[top_pkg::AddrW-1:0];
  assign s_data_o = {out_v, out_m, out_w};
  assign y_we_o = (!out_valid || c_outside) ? '0 : c_upper_q ? 8'hf0 : 8'h0f;
  assign y_addr_o = c_word_q[top_pkg::AddrW-1:0];
  assign y_data_o = {2{out_y}};

  assign busy_o = state_q != Idle;
  assign done_o = state_q == Done;
  assign refused_o = refused_q;
  assign code_o = code_q;
  assign range_o = range_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= Idle;
      refused_q <= 1'b0;
      code_q    <= '0;
      range_q   <= 1'b0;
      s_word_q  <= '0;
      c_word_q  <= '0;
      c_upper_q <= 1'b0;
      stat_o    <= '0;
    end else begin
      if (out_valid) begin
        s_word_q  <= s_word_next;
        c_word_q  <= c_word_next;
        c_upper_q <= !c_upper_q;
      end
      if (out_valid && (s_outside || c_outside)) range_q <= 1'b1;
      if (in_valid && in_ready && (range & {1'b1, !momentum, 2'b11}) != '0) range_q <= 1'b1;
      case (state_q)
        Idle: if (start_i) begin
          refused_q <= 1'b0;
          range_q   <= 1'b0;
          s_word_q  <= {1'b0, s_addr};
          c_word_q  <= {1'b0, c_addr};
          c_upper_q <= 1'b0;
          state_q   <= Offer;
        end
        Offer: if (cfg_ready) state_q <= Answer;
        Answer: if (rsp_valid) begin
          code_q    <= rsp_code;
          refused_q <= rsp_code != '0;
          state_q   <= (rsp_code != '0) ? Done : Run;
        end
        Run: if (stat_valid) begin
          stat_o <= {14'd0, stat_bits,
                     8'd0, stat_counts[120 +: 24], 8'd0, stat_counts[96 +: 24], 8'd0, stat_counts[72 +: 24],
                     8'd0, stat_counts[48 +: 24], 8'd0, stat_counts[24 +: 24], 8'd0, stat_counts[0 +: 24],
                     8'd0, stat_values};
          state_q <= Done;
        end
        default: state_q <= Idle;
      endcase
    end
  end

  logic unused;
  assign unused = ^{side, out_last, optc_busy};
endmodule
