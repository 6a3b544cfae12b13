/*!40101 SET NAMES binary*/;
SET FOREIGN_KEY_CHECKS=0;
INSERT INTO `item` (`id`,`name`,`price`,`d`,`data`,`bits`,`at`,`stamp`,`kind`,`doc`) VALUES
(0,'zero',0.000000,0,x'',x'0000','0000-00-00 00:00:00.000','1970-01-01 00:00:01.000','a','{}'),
(1,'it\'s \"a\\b\"\n\r\0\Z	日本',-12345678901234.500000,0.00001,x'00ff225c270a',x'0a27','2024-03-31 02:30:00.500','2024-10-27 00:30:00.001','b;c','{\"k\": [1, \"\\\"x\\\"\"]}'),
(18446744073709551615,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
