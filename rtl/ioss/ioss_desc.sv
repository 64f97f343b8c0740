// Pending descriptor of the IOSS core (docs/ioss/reference.md, Descriptors).
//
// Takes a descriptor when none is pending, answers with a pulse in the next cycle, and holds a legal one until `take_i`.
module ioss_desc #(
  parameter int Rows = 8,
  parameter int Depth = 128
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

  output logic                       rsp_valid_o,
  output logic [ioss_pkg::CodeW-1:0] rsp_code_o,
  output logic                       refused_o,   // with rsp_valid_o

  output logic        pend_valid_o,
  output logic [2:0]  pend_x_slices_o,
  output logic [2:0]  pend_w_slices_o,
  output logic        pend_x_unsigned_o,
  output logic        pend_w_unsigned_o,
  output logic [2:0]  pend_min_order_o,
  output logic        pend_compensate_o,
  output logic [3:0]  pend_reduce_factor_o,
  output logic [15:0] pend_k_len_o,
  output logic [15:0] pend_n_jobs_o,
  input  logic        take_i
);
  localparam int CodeW = ioss_pkg::CodeW;

  logic [CodeW-1:0] code;

  ioss_desc_check #(
    .Rows (Rows),
    .Depth(Depth)
  ) u_check (
    .desc_x_slices_i,
    .desc_w_slices_i,
    .desc_min_order_i,
    .desc_reduce_factor_i,
    .desc_k_len_i,
    .desc_n_jobs_i,
    .code_o(code)
  );

  assign desc_ready_o = !pend_valid_o;
  assign refused_o = rsp_valid_o && (rsp_code_o != CodeW'(ioss_pkg::RspOk));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pend_valid_o         <= 1'b0;
      pend_x_slices_o      <= '0;
      pend_w_slices_o      <= '0;
      pend_x_unsigned_o    <= 1'b0;
      pend_w_unsigned_o    <= 1'b0;
      pend_min_order_o     <= '0;
      pend_compensate_o    <= 1'b0;
      pend_reduce_factor_o <= '0;
      pend_k_len_o         <= '0;
      pend_n_jobs_o        <= '0;
      rsp_valid_o          <= 1'b0;
      rsp_code_o           <= '0;
    end else begin
      rsp_valid_o <= desc_valid_i && desc_ready_o;
      if (desc_valid_i && desc_ready_o) begin
        rsp_code_o <= code;
        if (code == CodeW'(ioss_pkg::RspOk)) begin
          pend_valid_o         <= 1'b1;
          pend_x_slices_o      <= desc_x_slices_i;
          pend_w_slices_o      <= desc_w_slices_i;
          pend_x_unsigned_o    <= desc_x_unsigned_i;
          pend_w_unsigned_o    <= desc_w_unsigned_i;
          pend_min_order_o     <= desc_min_order_i;
          pend_compensate_o    <= desc_compensate_i;
          pend_reduce_factor_o <= desc_reduce_factor_i;
          pend_k_len_o         <= desc_k_len_i;
          pend_n_jobs_o        <= desc_n_jobs_i;
        end
      end else if (take_i) begin
        pend_valid_o <= 1'b0;
      end
    end
  end
endmodule
