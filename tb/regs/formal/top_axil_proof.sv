// AXI4-Lite at the processor's port (docs/top/registers_block.md): answers hold until they are taken, every access is answered once, and the
// register bus sees one request at a time. The host keeps no rule; the registers answer a request once, in a later cycle.
module top_axil_proof (
  input logic clk_i
);
  (* anyseq *) logic        awvalid, wvalid, bready, arvalid, rready, req_ready, rsp_valid;
  (* anyseq *) logic [15:0] awaddr, araddr;
  (* anyseq *) logic [31:0] wdata, rsp_data;
  (* anyseq *) logic [3:0]  wstrb;
  (* anyseq *) logic [1:0]  rsp_code;
  logic        rst_n, awready, wready, bvalid, arready, rvalid, req_valid, req_write;
  logic [1:0]  bresp, rresp;
  logic [31:0] rdata, req_wdata;
  logic [15:0] req_addr;
  initial rst_n = 1'b0;
  top_axil u_axil (
    .clk_i, .rst_ni(rst_n), .axil_awvalid_i(awvalid), .axil_awready_o(awready), .axil_awaddr_i(awaddr),
    .axil_wvalid_i(wvalid), .axil_wready_o(wready), .axil_wdata_i(wdata), .axil_wstrb_i(wstrb),
    .axil_bvalid_o(bvalid), .axil_bready_i(bready), .axil_bresp_o(bresp), .axil_arvalid_i(arvalid),
    .axil_arready_o(arready), .axil_araddr_i(araddr), .axil_rvalid_o(rvalid), .axil_rready_i(rready),
    .axil_rdata_o(rdata), .axil_rresp_o(rresp), .req_valid_o(req_valid), .req_ready_i(req_ready),
    .req_write_o(req_write), .req_addr_o(req_addr), .req_wdata_o(req_wdata), .rsp_valid_i(rsp_valid),
    .rsp_code_i(rsp_code), .rsp_data_i(rsp_data)
  );
  logic [1:0] state;
  assign state = u_axil.state_q;

  // ---- what was taken and not answered ----------------
  logic [2:0]  aw_q, w_q, ar_q;
  logic        asked_q;                  // the registers owe an answer
  initial {aw_q, w_q, ar_q, asked_q} = '0;
  always @(posedge clk_i) begin
    rst_n <= 1'b1;
    if (rst_n) begin
      aw_q <= aw_q + 3'(awvalid && awready) - 3'(bvalid && bready);
      w_q  <= w_q + 3'(wvalid && wready) - 3'(bvalid && bready);
      ar_q <= ar_q + 3'(arvalid && arready) - 3'(rvalid && rready);
      if (req_valid && req_ready) asked_q <= 1'b1;
      else if (rsp_valid) asked_q <= 1'b0;
    end
  end
  always @(posedge clk_i) begin
    assume (!rsp_valid || asked_q);
    assume (!rsp_valid || rsp_code != 2'd1);
  end

  // ---- the cycle before ----------------
  logic        past_q, bvalid_q, bready_q, rvalid_q, rready_q, req_valid_q, req_ready_q, req_write_q;
  logic [1:0]  bresp_q, rresp_q;
  logic [31:0] rdata_q, req_wdata_q;
  logic [15:0] req_addr_q;
  initial past_q = 1'b0;
  always @(posedge clk_i) begin
    past_q <= rst_n;
    {bvalid_q, bready_q, bresp_q} <= {bvalid, bready, bresp};
    {rvalid_q, rready_q, rresp_q, rdata_q} <= {rvalid, rready, rresp, rdata};
    {req_valid_q, req_ready_q, req_write_q, req_addr_q, req_wdata_q} <=
        {req_valid, req_ready, req_write, req_addr, req_wdata};
  end
  always @(posedge clk_i) if (rst_n) begin
    if (past_q) begin
      write_answer_holds: assert (!bvalid_q || bready_q || (bvalid && bresp == bresp_q));
      read_answer_holds: assert (!rvalid_q || rready_q || (rvalid && rresp == rresp_q && rdata == rdata_q));
      request_holds: assert (!req_valid_q || req_ready_q || (req_valid && req_write == req_write_q &&
                             req_addr == req_addr_q && req_wdata == req_wdata_q));
    end
    one_request: assert (!(req_valid && asked_q));
    aligned: assert (!req_valid || req_addr[1:0] == 2'd0);
    known_answer: assert (bresp != 2'd1 && rresp != 2'd1);
    no_write_unasked: assert (!bvalid || (aw_q != 0 && w_q != 0));
    no_read_unasked: assert (!rvalid || ar_q != 0);
    // One answer per access: what was taken is held, at the registers, or answered, and nowhere twice.
    writes_by_address: assert (aw_q == 3'(!awready) + 3'(state != 2'd0 && req_write) + 3'(bvalid));
    writes_by_data: assert (w_q == 3'(!wready) + 3'(state != 2'd0 && req_write) + 3'(bvalid));
    reads: assert (ar_q == 3'(!arready) + 3'(state != 2'd0 && !req_write) + 3'(rvalid));
    // What induction needs.
    states: assert (state <= 2'd2 && req_valid == (state == 2'd1) && asked_q == (state == 2'd2));
    room: assert (state == 2'd0 || !(req_write ? bvalid : rvalid));
    both_wait: cover (!awready && !wready && !arready && bvalid && rvalid);
    refused_read: cover (rvalid && rresp == 2'd3);
    read_before_write: cover (rvalid && !awready && !wready && aw_q != 0 && w_q != 0);
  end
endmodule
