// First stage of the RAN: products are shifted by their order, into units of one (docs/ran/reference.md, Products).
module ran_shift #(
  parameter int Lanes = 16
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                                take_i,    // a product is transferred
  input  logic [Lanes*trainslice_pkg::ProdW-1:0] data_i,
  input  logic [trainslice_pkg::OrderW-1:0]   order_i,
  input  logic                                last_i,
  input  logic                                bank_i,
  output logic                                valid_o,
  output logic                                last_o,
  output logic                                bank_o,
  output logic [Lanes*ran_pkg::ShiftW-1:0]    shift_o
);
  localparam int ProdW = trainslice_pkg::ProdW;
  localparam int ShiftW = ran_pkg::ShiftW;

  function automatic logic [Lanes*ShiftW-1:0] shifted(input logic [Lanes*ProdW-1:0] data,
                                                      input logic [trainslice_pkg::OrderW-1:0] order);
    logic [Lanes*ShiftW-1:0] out;
    logic [ShiftW:0]         half;   // in half units
    for (int l = 0; l < Lanes; l++) begin
      half = {{(ShiftW + 1 - ProdW){data[ProdW*l + ProdW - 1]}}, data[ProdW*l +: ProdW]} << {order, 2'b00};
      out[ShiftW*l +: ShiftW] = ShiftW'(half >> 1);
    end
    return out;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
      last_o  <= 1'b0;
      bank_o  <= 1'b0;
      shift_o <= '0;
    end else begin
      valid_o <= take_i;
      if (take_i) begin
        last_o  <= last_i;
        bank_o  <= bank_i;
        shift_o <= shifted(data_i, order_i);
      end
    end
  end
endmodule
