// Descriptor of the pair: checked once, then given to the RAN and to the IOSS core, in this order (docs/gemm/README.md, Descriptors).
module gemm_desc
  import ran_pkg::way_t, trainslice_pkg::operands_t;
#(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int AccW = 40
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        desc_valid_i,
  output logic        desc_ready_o,
  input  operands_t   desc_i,
  input  way_t        desc_cfg_i,    // the RAN's own fields
  input  logic [31:0] desc_draw_i,
  output logic        rsp_valid_o,
  output logic [4:0]  rsp_code_o,

  output logic        ran_valid_o,
  input  logic        ran_ready_i,
  output logic        ioss_valid_o,
  input  logic        ioss_ready_i,
  output operands_t   held_o,
  output way_t        held_cfg_o,
  output logic [31:0] held_draw_o,
  output logic        busy_o
);
  logic [ioss_pkg::CodeW-1:0] ioss_code;
  logic [ran_pkg::CodeW-1:0]  ran_code;
  logic [4:0]                 code;
  logic                       held_ran_q, held_ioss_q;   // held for the RAN, for the IOSS core

  ioss_desc_check #(
    .Rows (Rows),
    .Depth(Depth)
  ) u_ioss_check (
    .desc_i,
    .code_o(ioss_code)
  );

  ran_desc_check #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_ran_check (
    .way_i     (desc_cfg_i),
    .desc_i    (desc_i),
    .code_o    (ran_code),
    /* verilator lint_off PINCONNECTEMPTY */
    .limit_o   ()   // the RAN's own check gives it to the slot
    /* verilator lint_on PINCONNECTEMPTY */
  );

  assign code = (ioss_code != '0) ? {1'b0, ioss_code} : (ran_code != '0) ? {1'b1, ran_code} : 5'd0;
  assign desc_ready_o = !held_ran_q && !held_ioss_q;
  assign ran_valid_o = held_ran_q;
  assign ioss_valid_o = held_ioss_q;
  assign busy_o = held_ran_q || held_ioss_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      held_o      <= '0;
      held_cfg_o  <= '0;
      held_draw_o <= '0;
      held_ran_q  <= 1'b0;
      held_ioss_q <= 1'b0;
      rsp_valid_o <= 1'b0;
      rsp_code_o  <= '0;
    end else begin
      rsp_valid_o <= desc_valid_i && desc_ready_o;
      if (desc_valid_i && desc_ready_o) begin
        rsp_code_o <= code;
        if (code == '0) begin
          held_ran_q  <= 1'b1;
          held_o      <= desc_i;
          held_cfg_o  <= desc_cfg_i;
          held_draw_o <= desc_draw_i;
        end
      end
      if (held_ran_q && ran_ready_i) begin
        held_ran_q  <= 1'b0;
        held_ioss_q <= 1'b1;
      end
      if (held_ioss_q && ioss_ready_i) held_ioss_q <= 1'b0;
    end
  end
endmodule
