// Answer of the IOSS core to a descriptor (docs/ioss/reference.md, Descriptors). Combinational.
module ioss_desc_check
  import trainslice_pkg::operands_t;
#(
  parameter int Rows = 8,
  parameter int Depth = 128
) (
  /* verilator lint_off UNUSEDSIGNAL */  // what can hold anything
  input  operands_t                  desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic [ioss_pkg::CodeW-1:0] code_o
);

  logic reduce_ok;
  assign reduce_ok = ((desc_i.reduce_factor == 4'd1) || (desc_i.reduce_factor == 4'd2) ||
                      (desc_i.reduce_factor == 4'd4) || (desc_i.reduce_factor == 4'd8)) &&
                     (32'(desc_i.reduce_factor) <= Rows);

  always_comb begin
    if (desc_i.x_slices == 3'd0 || desc_i.x_slices > 3'd4) begin
      code_o = ioss_pkg::RspXSlices;
    end else if (desc_i.w_slices == 3'd0 || desc_i.w_slices > 3'd4) begin
      code_o = ioss_pkg::RspWSlices;
    end else if (!reduce_ok) begin
      code_o = ioss_pkg::RspReduce;
    end else if (desc_i.k_len == 16'd0 || desc_i.k_len > (16'(desc_i.reduce_factor) << $clog2(Depth))) begin
      code_o = ioss_pkg::RspKLen;
    end else if (4'(desc_i.min_order) + 4'd2 > 4'(desc_i.x_slices) + 4'(desc_i.w_slices)) begin
      code_o = ioss_pkg::RspOrder;
    end else if (desc_i.n_jobs == 16'd0) begin
      code_o = ioss_pkg::RspJobs;
    end else begin
      code_o = ioss_pkg::RspOk;
    end
  end
endmodule
