// How many parameters of a tensor an event of each kind happened to: at most 2^24 - 1, as there are no more (optc_left).
module optc_counts #(
  parameter int Lanes = 4
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          clear_i,  // a tensor begins
  input  logic                          take_i,   // a beat passes
  input  logic [Lanes*6-1:0]            flags_i,  // six kinds a lane
  input  logic [Lanes-1:0]              live_i,   // lanes that hold a parameter
  output logic [6*optc_pkg::CountW-1:0] count_o
);
  localparam int CountW = optc_pkg::CountW;

  function automatic logic [6*CountW-1:0] counted(input logic [6*CountW-1:0] count, input logic [Lanes*6-1:0] add,
                                                  input logic [Lanes-1:0] lanes);
    counted = count;
    for (int l = 0; l < Lanes; l++) begin
      for (int c = 0; c < 6; c++) begin
        counted[CountW*c +: CountW] = counted[CountW*c +: CountW] + CountW'(add[6*l + c] && lanes[l]);
      end
    end
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_o <= '0;
    else if (clear_i) count_o <= '0;
    else if (take_i) count_o <= counted(count_o, flags_i, live_i);
  end
endmodule
