// verilog_syntax: parse-as-module-body
// Binary traces of the IOSS core's boundaries (docs/bench.md, Traces), for every bench that has a core in it: items of a scope that has
// Rows, Lanes and `Place`, and in which `IOSS(port) is a port of the core.
//
// Trace files (little-endian 32-bit words), written while rst_ni is high:
//   issue.bin  a record a cycle with an issue: cycle, then a word a row {valid, null, k[9:0], i[1:0], j[1:0], x[4:0], tag[10:0]}
//   prod.bin   a record a cycle with a transfer: cycle, then a row's {tag[15:0], 8'b0, transfer, last, null, bank, 1'b0, order[2:0]},
//              its mask, and its Lanes products as 16-bit numbers
//   event.bin  {cycle, kind and data, mask} a record: 1 answer (data: code), 2 tile that is wrong, 3 job that is wrong {code, tag}, 4 bypassed job
//              {tag} with its mask, 5 new value of rst_ni, 6 new value of busy_o
if (1) begin : gen_ioss_trace
  localparam int ProdWords = 2 + Lanes / 2;
  `TS_FILE(issue, "issue", Rows + 1)
  `TS_FILE(prod, "prod", ProdWords * Rows + 1)
  `TS_EVENT_FILE("event", 3)
  `TS_LEVEL(busy)

  function automatic logic [32*Rows-1:0] issues(
    input logic [Rows-1:0] valid, input logic [Rows-1:0] null_issue, input logic [10*Rows-1:0] k,
    input logic [2*Rows-1:0] i, input logic [2*Rows-1:0] j, input logic [5*Rows-1:0] x, input logic [16*Rows-1:0] tag
  );
    for (int r = 0; r < Rows; r++) begin
      issues[32*r +: 32] = {valid[r], null_issue[r], k[10*r +: 10], i[2*r +: 2], j[2*r +: 2], x[5*r +: 5],
                            tag[16*r +: 11]};
    end
  endfunction

  always @(posedge clk_i) begin
    `TS_EVENT_RESET
    `TS_EVENT_LEVEL(busy, 8'd6, `IOSS(busy_o))
    `TS_EVENT(`IOSS(rsp_valid_o), 8'd1, `IOSS(rsp_code_o))
    `TS_EVENT(`IOSS(tile_err_o), 8'd2, 24'd0)
    `TS_EVENT(`IOSS(job_err_valid_o), 8'd3, {4'd0, `IOSS(job_err_code_o), `IOSS(job_err_tag_o)})
    `TS_RECORD(event, `IOSS(byp_valid_o) && `IOSS(byp_ready_i),
               {32'(`IOSS(byp_mask_o)), 8'd4, 8'd0, `IOSS(byp_tag_o), cycle_q})
    `TS_RECORD(issue, trace_i && (`IOSS(issue_valid_o) | `IOSS(issue_null_o)) != '0,
               {issues(`IOSS(issue_valid_o), `IOSS(issue_null_o), `IOSS(issue_k_o), `IOSS(issue_i_o),
                       `IOSS(issue_j_o), `IOSS(issue_x_o), `IOSS(issue_tag_o)), cycle_q})
    if (rst_ni && trace_i && (`IOSS(prod_valid_o) & `IOSS(prod_ready_i)) != '0) begin
      /* verilator lint_off BLKSEQ */
      prod_record[31:0] = cycle_q;
      for (int r = 0; r < Rows; r++) begin
        prod_record[32 + 32*ProdWords*r +: 64] = {
            32'(`IOSS(prod_mask_o)[Lanes*r +: Lanes]), `IOSS(prod_tag_o)[16*r +: 16], 8'd0,
            `IOSS(prod_valid_o)[r] && `IOSS(prod_ready_i)[r], `IOSS(prod_last_o)[r], `IOSS(prod_null_o)[r],
            `IOSS(prod_bank_o)[r], 1'b0, `IOSS(prod_order_o)[3*r +: 3]};
        for (int l = 0; l < Lanes; l++) begin
          prod_record[96 + 32*ProdWords*r + 16*l +: 16] =
              {{6{`IOSS(prod_data_o)[10*(Lanes*r + l) + 9]}}, `IOSS(prod_data_o)[10*(Lanes*r + l) +: 10]};
        end
      end
      /* verilator lint_on BLKSEQ */
      `TS_TRACE(prod_fd, prod_record, prod_words)
    end
    if (flush_i) $fflush(prod_fd);
  end
end
