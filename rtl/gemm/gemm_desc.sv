// Descriptor of the pair: checked once, then given to the RAN and to the IOSS core, in this order (docs/gemm/README.md, Descriptors).
module gemm_desc #(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int AccW = 40
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        desc_valid_i,
  output logic        desc_ready_o,
  input  logic [2:0]  desc_x_slices_i,
  input  logic [2:0]  desc_w_slices_i,
  input  logic        desc_x_unsigned_i,
  input  logic        desc_w_unsigned_i,
  input  logic [2:0]  desc_min_order_i,
  input  logic        desc_compensate_i,
  input  logic [3:0]  desc_reduce_factor_i,
  input  logic [15:0] desc_k_len_i,
  input  logic [15:0] desc_n_jobs_i,
  input  logic [ran_pkg::CfgW-1:0] desc_cfg_i,    // the RAN's own fields
  input  logic [31:0] desc_draw_i,
  output logic        rsp_valid_o,
  output logic [4:0]  rsp_code_o,

  output logic        ran_valid_o,
  input  logic        ran_ready_i,
  output logic        ioss_valid_o,
  input  logic        ioss_ready_i,
  output logic [2:0]  held_x_slices_o,
  output logic [2:0]  held_w_slices_o,
  output logic        held_x_unsigned_o,
  output logic        held_w_unsigned_o,
  output logic [2:0]  held_min_order_o,
  output logic        held_compensate_o,
  output logic [3:0]  held_reduce_factor_o,
  output logic [15:0] held_k_len_o,
  output logic [15:0] held_n_jobs_o,
  output logic [ran_pkg::CfgW-1:0] held_cfg_o,
  output logic [31:0] held_draw_o,
  output logic        busy_o
);
  localparam int FieldsW = 3 + 3 + 1 + 1 + 3 + 1 + 4 + 16 + 16 + ran_pkg::CfgW + 32;

  logic [ioss_pkg::CodeW-1:0] ioss_code;
  logic [ran_pkg::CodeW-1:0]  ran_code;
  logic [4:0]                 code;
  logic [FieldsW-1:0]         held_q;
  logic                       held_ran_q, held_ioss_q;   // held for the RAN, for the IOSS core

  ioss_desc_check #(
    .Rows (Rows),
    .Depth(Depth)
  ) u_ioss_check (
    .desc_x_slices_i,
    .desc_w_slices_i,
    .desc_min_order_i,
    .desc_reduce_factor_i,
    .desc_k_len_i,
    .desc_n_jobs_i,
    .code_o(ioss_code)
  );

  ran_desc_check #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_ran_check (
    .y_bits_i       (desc_cfg_i[ran_pkg::CfgBits +: 3]),
    .y_unsigned_i   (desc_cfg_i[ran_pkg::CfgUnsigned]),
    .relu_i         (desc_cfg_i[ran_pkg::CfgRelu]),
    .round_i        (desc_cfg_i[ran_pkg::CfgRound +: 2]),
    .shift_i        (desc_cfg_i[ran_pkg::CfgShift +: 6]),
    .lanes_i        (desc_cfg_i[ran_pkg::CfgLanes +: 6]),
    .reduce_factor_i(desc_reduce_factor_i),
    .n_jobs_i       (desc_n_jobs_i),
    .x_slices_i     (desc_x_slices_i),
    .w_slices_i     (desc_w_slices_i),
    .x_unsigned_i   (desc_x_unsigned_i),
    .w_unsigned_i   (desc_w_unsigned_i),
    .compensate_i   (desc_compensate_i),
    .k_len_i        (desc_k_len_i),
    .code_o         (ran_code),
    /* verilator lint_off PINCONNECTEMPTY */
    .limit_o        ()   // the RAN's own check gives it to the slot
    /* verilator lint_on PINCONNECTEMPTY */
  );

  assign code = (ioss_code != '0) ? {1'b0, ioss_code} : (ran_code != '0) ? {1'b1, ran_code} : 5'd0;
  assign desc_ready_o = !held_ran_q && !held_ioss_q;
  assign ran_valid_o = held_ran_q;
  assign ioss_valid_o = held_ioss_q;
  assign busy_o = held_ran_q || held_ioss_q;
  assign {held_x_slices_o, held_w_slices_o, held_x_unsigned_o, held_w_unsigned_o, held_min_order_o, held_compensate_o,
          held_reduce_factor_o, held_k_len_o, held_n_jobs_o, held_cfg_o, held_draw_o} = held_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      held_q      <= '0;
      held_ran_q  <= 1'b0;
      held_ioss_q <= 1'b0;
      rsp_valid_o <= 1'b0;
      rsp_code_o  <= '0;
    end else begin
      rsp_valid_o <= desc_valid_i && desc_ready_o;
      if (desc_valid_i && desc_ready_o) begin
        rsp_code_o <= code;
        if (code == '0) begin
          held_ran_q <= 1'b1;
          held_q     <= {desc_x_slices_i, desc_w_slices_i, desc_x_unsigned_i, desc_w_unsigned_i, desc_min_order_i,
                         desc_compensate_i, desc_reduce_factor_i, desc_k_len_i, desc_n_jobs_i, desc_cfg_i, desc_draw_i};
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
