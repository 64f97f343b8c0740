// Parameters of a tensor that are still to pass, `Lanes` a beat; 0 from the last beat on.
module optc_left #(
  parameter int Lanes = 4
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        load_i,    // a tensor of `n_i` begins
  input  logic [optc_pkg::CountW-1:0] n_i,
  input  logic                        take_i,    // a beat passes
  output logic [optc_pkg::CountW-1:0] left_o,
  output logic                        last_o     // one beat takes what is left
);
  localparam int CountW = optc_pkg::CountW;
  assign last_o = left_o <= CountW'(Lanes);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_o <= '0;
    end else if (load_i) begin
      left_o <= n_i;
    end else if (take_i) begin
      left_o <= last_o ? '0 : left_o - CountW'(Lanes);
    end
  end
endmodule
