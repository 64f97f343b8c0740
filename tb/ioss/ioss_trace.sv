`include "ts_trace.svh"

// Binary traces of the IOSS core's boundaries (docs/environment.md); of use in every bench that has a core in it.
//
// Trace files (little-endian 32-bit words), written while rst_ni is high:
//   issue.bin  a record a cycle with an issue: cycle, then a word a row {valid, null, k[9:0], i[1:0], j[1:0], x[4:0], tag[10:0]}
//   prod.bin   a record a cycle with a transfer: cycle, then a row's {tag[15:0], 8'b0, transfer, last, null, bank, 1'b0, order[2:0]},
//              its mask, and its Lanes products as 16-bit numbers
//   event.bin  {cycle, kind and data, mask} a record; kinds below
module ioss_trace #(
  parameter Place = ".",          // folder of the traces
  parameter int Rows = 8,
  parameter int Lanes = 16
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] cycle_i,
  input logic        trace_i,        // write issue and product traces
  input logic        flush_i,

  input logic        rsp_valid_i,
  input logic [3:0]  rsp_code_i,
  input logic        tile_err_i,
  input logic        job_err_valid_i,
  input logic [3:0]  job_err_code_i,
  input logic [15:0] job_err_tag_i,
  input logic        byp_valid_i,
  input logic        byp_ready_i,
  input logic [15:0] byp_tag_i,
  input logic [Lanes-1:0] byp_mask_i,
  input logic [Rows-1:0] prod_valid_i,
  input logic [Rows-1:0] prod_ready_i,
  input logic [Rows*Lanes*10-1:0] prod_data_i,
  input logic [Rows*3-1:0] prod_order_i,
  input logic [Rows-1:0] prod_last_i,
  input logic [Rows-1:0] prod_null_i,
  input logic [Rows-1:0] prod_bank_i,
  input logic [Rows*16-1:0] prod_tag_i,
  input logic [Rows*Lanes-1:0] prod_mask_i,
  input logic [Rows-1:0] issue_valid_i,
  input logic [Rows-1:0] issue_null_i,
  input logic [Rows*10-1:0] issue_k_i,
  input logic [Rows*2-1:0] issue_i_i,
  input logic [Rows*2-1:0] issue_j_i,
  input logic [Rows*5-1:0] issue_x_i,
  input logic [Rows*16-1:0] issue_tag_i,
  input logic        busy_i
);
  localparam logic [7:0] EvRsp = 8'd1;
  localparam logic [7:0] EvTileErr = 8'd2;
  localparam logic [7:0] EvJobErr = 8'd3;
  localparam logic [7:0] EvByp = 8'd4;
  localparam logic [7:0] EvReset = 8'd5;    // data: new value of rst_ni, logged with the first cycle that has it
  localparam logic [7:0] EvBusy = 8'd6;     // data: new value of busy_o
  localparam int ProdWords = 2 + Lanes / 2;
  logic [32*(Rows+1)-1:0] issue_record;
  logic [32*(ProdWords*Rows+1)-1:0] prod_record;

  integer issue_fd, prod_fd, event_fd;
  logic   rst_q, busy_q;
  initial begin
    issue_fd = $fopen({Place, "/issue.bin"}, "wb");
    prod_fd  = $fopen({Place, "/prod.bin"}, "wb");
    event_fd = $fopen({Place, "/event.bin"}, "wb");
    rst_q    = 1'b0;
    busy_q   = 1'b0;
  end

  always @(posedge clk_i) begin
    rst_q   <= rst_ni;
    if (rst_ni != rst_q) $fwrite(event_fd, "%u%u%u", cycle_i, {EvReset, 23'd0, rst_ni}, 32'd0);
    if (rst_ni) begin
      busy_q <= busy_i;
      if (busy_i != busy_q) $fwrite(event_fd, "%u%u%u", cycle_i, {EvBusy, 23'd0, busy_i}, 32'd0);
      if (rsp_valid_i) $fwrite(event_fd, "%u%u%u", cycle_i, {EvRsp, 20'd0, rsp_code_i}, 32'd0);
      if (tile_err_i) $fwrite(event_fd, "%u%u%u", cycle_i, {EvTileErr, 24'd0}, 32'd0);
      if (job_err_valid_i) $fwrite(event_fd, "%u%u%u", cycle_i, {EvJobErr, 4'd0, job_err_code_i, job_err_tag_i}, 32'd0);
      if (byp_valid_i && byp_ready_i) $fwrite(event_fd, "%u%u%u", cycle_i, {EvByp, 8'd0, byp_tag_i}, 32'(byp_mask_i));
      /* verilator lint_off BLKSEQ */
      if (trace_i && (issue_valid_i | issue_null_i) != '0) begin
        issue_record[31:0] = cycle_i;
        for (int r = 0; r < Rows; r++) begin
          issue_record[32+32*r +: 32] = {
              issue_valid_i[r], issue_null_i[r], issue_k_i[10*r +: 10], issue_i_i[2*r +: 2], issue_j_i[2*r +: 2],
              issue_x_i[5*r +: 5], issue_tag_i[16*r +: 11]};
        end
        `TS_TRACE(issue_fd, issue_record, Rows + 1)
      end
      if (trace_i && (prod_valid_i & prod_ready_i) != '0) begin
        prod_record[31:0] = cycle_i;
        for (int r = 0; r < Rows; r++) begin
          prod_record[32 + 32*ProdWords*r +: 64] = {
              32'(prod_mask_i[Lanes*r +: Lanes]), prod_tag_i[16*r +: 16], 8'd0, prod_valid_i[r] && prod_ready_i[r],
              prod_last_i[r], prod_null_i[r], prod_bank_i[r], 1'b0, prod_order_i[3*r +: 3]};
          for (int l = 0; l < Lanes; l++) begin
            prod_record[96 + 32*ProdWords*r + 16*l +: 16] =
                {{6{prod_data_i[10*(Lanes*r + l) + 9]}}, prod_data_i[10*(Lanes*r + l) +: 10]};
          end
        end
        `TS_TRACE(prod_fd, prod_record, ProdWords * Rows + 1)
      end
      /* verilator lint_on BLKSEQ */
    end else begin
      busy_q <= 1'b0;
    end
    if (flush_i) begin
      $fflush(issue_fd);
      $fflush(prod_fd);
      $fflush(event_fd);
    end
  end
endmodule
