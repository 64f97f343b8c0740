// Counters of the RAN with their read port (docs/ran/reference.md, Counters).
module ran_counters #(
  parameter int Rows = 8
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [ran_pkg::CtrAddrW-1:0] ctr_addr_i,
  output logic [ran_pkg::CtrW-1:0]     ctr_data_o,
  input  logic                         ctr_clear_i,
  input  logic [4*Rows-1:0]            row_event_i,   // of each row, by index
  input  logic [13*6-1:0]              event_i        // what each global counter adds
);
  localparam int CtrW = ran_pkg::CtrW;
  localparam int RowCounters = 4;
  localparam int Counters = 13;
  localparam int RowAddrW = $clog2(RowCounters * Rows);

  logic [CtrW-1:0] row_q [RowCounters*Rows];
  logic [CtrW-1:0] all_q [Counters];

  for (genvar c = 0; c < RowCounters * Rows; c++) begin : gen_row
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) row_q[c] <= '0;
      else if (ctr_clear_i) row_q[c] <= '0;
      else if (row_event_i[c]) row_q[c] <= row_q[c] + 1'b1;
    end
  end
  for (genvar c = 0; c < Counters; c++) begin : gen_all
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) all_q[c] <= '0;
      else if (ctr_clear_i) all_q[c] <= '0;
      else if (event_i[6*c +: 6] != '0) all_q[c] <= all_q[c] + CtrW'(event_i[6*c +: 6]);
    end
  end

  logic [4:0] row;
  logic [2:0] index;
  assign row = ctr_addr_i[7:3];
  assign index = ctr_addr_i[2:0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ctr_data_o <= '0;
    end else if (ctr_addr_i[8]) begin
      ctr_data_o <= (32'(ctr_addr_i[7:0]) < Counters) ? all_q[ctr_addr_i[3:0]] : '0;
    end else begin
      ctr_data_o <= (32'(row) < Rows && 32'(index) < RowCounters) ? row_q[RowAddrW'({row, index[1:0]})] : '0;
    end
  end
endmodule
