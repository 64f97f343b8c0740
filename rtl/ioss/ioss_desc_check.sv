// Answer of the IOSS core to a descriptor (docs/ioss/reference.md, Descriptors). Combinational.
module ioss_desc_check #(
  parameter int Rows = 8,
  parameter int Depth = 128
) (
  input  logic [2:0]  desc_x_slices_i,
  input  logic [2:0]  desc_w_slices_i,
  input  logic [2:0]  desc_min_order_i,
  input  logic [3:0]  desc_reduce_factor_i,
  input  logic [15:0] desc_k_len_i,
  input  logic [15:0] desc_n_jobs_i,
  output logic [ioss_pkg::CodeW-1:0] code_o
);
  localparam int CodeW = ioss_pkg::CodeW;

  logic             reduce_ok;
  logic [19:0]      k_max;

  // Depth * reduce_factor; meaningful only where reduce_factor is legal, which is checked first.
  assign k_max = 20'(Depth) * 20'(desc_reduce_factor_i);
  assign reduce_ok = ((desc_reduce_factor_i == 4'd1) || (desc_reduce_factor_i == 4'd2) ||
                      (desc_reduce_factor_i == 4'd4) || (desc_reduce_factor_i == 4'd8)) &&
                     (32'(desc_reduce_factor_i) <= Rows);

  always_comb begin
    if (desc_x_slices_i == 3'd0 || desc_x_slices_i > 3'd4) begin
      code_o = CodeW'(ioss_pkg::RspXSlices);
    end else if (desc_w_slices_i == 3'd0 || desc_w_slices_i > 3'd4) begin
      code_o = CodeW'(ioss_pkg::RspWSlices);
    end else if (!reduce_ok) begin
      code_o = CodeW'(ioss_pkg::RspReduce);
    end else if (desc_k_len_i == 16'd0 || 20'(desc_k_len_i) > k_max) begin
      code_o = CodeW'(ioss_pkg::RspKLen);
    end else if (4'(desc_min_order_i) + 4'd2 > 4'(desc_x_slices_i) + 4'(desc_w_slices_i)) begin
      code_o = CodeW'(ioss_pkg::RspOrder);
    end else if (desc_n_jobs_i == 16'd0) begin
      code_o = CodeW'(ioss_pkg::RspJobs);
    end else begin
      code_o = CodeW'(ioss_pkg::RspOk);
    end
  end
endmodule
